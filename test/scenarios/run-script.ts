// Runs a script block by block on a cluster of its own and puts what happened in the place of its output.

import { parseCommand, parseScript } from "./script.ts";
import type { Script } from "./script.ts";
import { controls, requests } from "./verbs.ts";
import { World } from "./world.ts";

export function runScript(text: string): { readonly script: Script; readonly world: World } {
  const { blocks, after } = parseScript(text);
  const world = new World();
  const done = blocks.map((block) => {
    for (const line of block.commands) runCommand(world, line);
    world.settle();
    world.check();
    const output = world.take();
    return { ...block, output: output.length > 0 ? output : ["(nothing)"] };
  });
  return { script: { blocks: done, after }, world };
}

function runCommand(world: World, line: string): void {
  const command = parseCommand(line);
  const control = controls.get(command.verb);
  const request = requests.get(command.verb);
  if (control) {
    world.settle();
    control(world, command);
    world.settle();
  } else if (request) request(world, command);
  else throw new Error(`"${command.verb}" is no verb: ${line}`);
}
