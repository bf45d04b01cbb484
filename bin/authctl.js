#!/usr/bin/env node
// authctl COMMAND: the operators' command line, the same as `authfleet ctl COMMAND`.
// Plain JavaScript for any Node from 20.20; bootstrap.js installs missing packages and continues under Node 24.
// It stays in the terminal's foreground group, because it asks for passwords there.
import { argv } from "node:process";
import { launch } from "./bootstrap.js";

await launch({ program: "main", args: ["ctl", ...argv.slice(2)], interactive: true });
