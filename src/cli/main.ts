#!/usr/bin/env node
// The `skein` command.

import { endProcess, processIo } from "./io.ts";
import { runCli } from "./program.ts";

await endProcess(await runCli(process.argv.slice(2), processIo()));
