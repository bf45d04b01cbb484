#!/usr/bin/env node
// authfleet PROCESS: starts one process of the service (worker, relay, bridge, mailer, migrate), or the whole system
// with `dev`. Plain JavaScript for the Node that is at hand; bootstrap.js installs what is missing and goes on under
// the project's own Node. It promises to pass signals in, each once, and the exit code out; what a process does is in
// src/main.ts.
import { availableParallelism } from "node:os";
import { argv, env } from "node:process";
import { launch } from "./bootstrap.js";

// Help and authctl hash nothing and need no other process than this.
const args = argv.slice(2);
const small =
  args.length === 0 || args[0] === "ctl" || ["help", "--help", "-h", "--version"].some((word) => args.includes(word));

// Argon2 runs on libuv's pool, whose size is read once, when the process starts; file system and DNS calls need threads
// beside it.
const hashThreads = Number(env.AUTH_HASH_THREADS) || availableParallelism();
env.UV_THREADPOOL_SIZE ??= String(hashThreads + 4);

// As in the image (Dockerfile): memory that a flood of hostile batches takes is bounded, and given back.
env.MALLOC_ARENA_MAX ??= "2";
const nodeOptions = ["--max-semi-space-size=16"];

await launch({ program: "main", args, nodeOptions: small ? [] : nodeOptions, interactive: small });
