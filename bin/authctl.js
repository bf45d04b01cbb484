#!/usr/bin/env node
// authctl COMMAND: the operators' command line, the same as `authfleet ctl COMMAND`. Plain JavaScript for the Node that
// is at hand; bootstrap.js installs what is missing and goes on under the project's own Node. It stays in the
// terminal's foreground group, because it asks for passwords there.
import { argv } from "node:process";
import { launch } from "./bootstrap.js";

await launch({ program: "main", args: ["ctl", ...argv.slice(2)], interactive: true });
