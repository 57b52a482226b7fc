/** A client that feeds a map for as long as it lives. Prints the job's id. */
import { connect } from "skein";
import { square } from "./fault-tasks.ts";

const skein = await connect();

async function* forever() {
  for (let i = 0; ; i++) {
    yield i;
    if (i % 10_000 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

await skein.map(square, forever(), { onJob: ({ id }) => console.log(id) });
