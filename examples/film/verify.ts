/** Is every frame of the finished file the one its number says, and every task's outcome there once? */
import type { JobHandle } from "skein";
import { decodeFilm } from "./film-format.ts";
import { createReference, whichFrame } from "./reference.ts";
import { prepareScene } from "./scene.ts";

/** Problems found, in words; none when all is right. */
export function checkFrames(file: Uint8Array, frames: number): string[] {
  const film = decodeFilm(file);
  if (film.frames.length !== frames)
    return [`the film has ${film.frames.length} frames, not ${frames}`];
  const reference = createReference(prepareScene(), frames);
  return film.frames.flatMap((rgb, number) => {
    const { frame } = whichFrame(reference, rgb, film.size);
    return frame === number ? [] : [`frame ${number} shows what belongs at ${frame}`];
  });
}

/** Reads the outcomes back from the cluster and counts them by task. */
export async function checkOutcomes(job: JobHandle<unknown>, tasks: number): Promise<string[]> {
  const seen = new Map<number, number>();
  let failed = 0;
  for await (const outcome of job.outcomes()) {
    seen.set(outcome.task, (seen.get(outcome.task) ?? 0) + 1);
    if (outcome.state !== "succeeded") failed++;
  }
  const problems = [...seen]
    .filter(([, count]) => count > 1)
    .map(([task, count]) => `task ${task} has ${count} outcomes`);
  if (seen.size !== tasks) problems.push(`${seen.size} of ${tasks} tasks have an outcome`);
  if (failed > 0) problems.push(`${failed} tasks did not succeed`);
  return problems;
}
