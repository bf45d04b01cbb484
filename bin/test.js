#!/usr/bin/env node
// npm test: installs what is missing, then runs every test, or those named by the arguments (`npm test -- login`).
// Its last line is `N passed, N failed`; the exit code is 0 only when none failed and no process was left behind.
// The run itself is in run-jest.js, under the project's own Node; this file only gets there.
import { argv } from "node:process";
import { launch } from "./bootstrap.js";

await launch({ program: "run-jest", args: argv.slice(2) });
