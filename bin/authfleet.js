#!/usr/bin/env node
// authfleet PROCESS: starts one process of the service (worker, relay, bridge, mailer, migrate), or all with `dev`.
// Plain JavaScript for any Node from 20.20; bootstrap.js installs missing packages and continues under Node 24.
// Promises: each signal reaches the process once, and the exit code is the process's. What runs is in src/main.ts.
import { availableParallelism } from "node:os";
import { argv, env } from "node:process";
import { launch } from "./bootstrap.js";

// Help and authctl hash nothing and need no other process than this.
const args = argv.slice(2);
const small =
  args.length === 0 || args[0] === "ctl" || ["help", "--help", "-h", "--version"].some((word) => args.includes(word));

// Argon2 runs on libuv's pool, whose size is read once, when the process starts. File system and DNS need threads too.
const hashThreads = Number(env.AUTH_HASH_THREADS) || availableParallelism();
env.UV_THREADPOOL_SIZE ??= String(hashThreads + 4);

// As in the image (Dockerfile): memory that a flood of hostile batches takes is bounded, and given back.
env.MALLOC_ARENA_MAX ??= "2";
const nodeOptions = ["--max-semi-space-size=16"];

await launch({ program: "main", args, nodeOptions: small ? [] : nodeOptions, interactive: small });
