#!/usr/bin/env node
// npm run release: installs what is missing, then makes a release (tools/release.ts) under the project's own Node.
import { argv } from "node:process";
import { launch } from "./bootstrap.js";

await launch({ program: "release", args: argv.slice(2) });
