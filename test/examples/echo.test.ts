// examples/echo as its README says it, and what it promises: one answer to each request, also where a worker is killed.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { namesFor } from "../../src/bus/names.ts";
import { openPlainApplication, type PlainApplication } from "../../src/bus/plain-application.ts";
import { noteProcess } from "../../stack/processes.ts";
import { quiet } from "../support/logger.ts";
import { runFolder, testStack } from "../support/stack.ts";

const file = join(import.meta.dirname, "..", "..", "examples", "echo", "echo.ts");
const prefix = `echo-${randomBytes(4).toString("hex")}.`;
const { kafka, registry } = testStack();
const env = { ...process.env, KAFKA: kafka, REGISTRY: registry, PREFIX: prefix };
const run = promisify(execFile);
const echo = (...words: string[]) => run(process.execPath, [file, ...words], { env, timeout: 60_000 });

const workers: ChildProcess[] = [];
let asking: PlainApplication;
beforeAll(async () => {
  await echo("setup");
  await Promise.all([startWorker(), startWorker()]);
  const text = [{ name: "text", type: "string" }];
  asking = openPlainApplication({
    kafka: { brokers: [kafka], clientId: "test", prefix },
    registry,
    protocol: { names: namesFor("echo"), codes: { DEADLINE_EXCEEDED: "TOO_LATE" } },
    commands: ["echo.say", "echo.shout"].map((topic) => ({ topic, request: text, result: text, handle: () => ({}) })),
    log: quiet,
  });
}, 90_000);
afterAll(async () => {
  await asking.close();
  await Promise.all(workers.map((worker) => end(worker, "SIGTERM")));
}, 60_000);

async function startWorker(): Promise<void> {
  const worker = spawn(process.execPath, [file, "serve"], { env, stdio: ["ignore", "pipe", "inherit"] });
  noteProcess(runFolder(), `echo-${workers.length}`, worker.pid!);
  workers.push(worker);
  await once(worker.stdout!, "data");
}

async function end(worker: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  worker.kill(signal);
  await once(worker, "exit");
}

const ask = (topic: string, text: string, timeoutMs?: number) =>
  asking.ask<{ text: string }>("terminal", topic, { text }, timeoutMs);

test("answers as the README says", async () => {
  expect((await echo("shout", "hello")).stdout).toBe("HELLO\n");
  expect(await echo("say", "")).toMatchObject({ stdout: "", stderr: "NOTHING_SAID: Say something.\n" });
}, 60_000);

test("gives each of 300 requests its one answer, though a worker is killed in the midst of them", async () => {
  let answered = 0;
  let killed: Promise<void> | undefined;
  const asked = Array.from({ length: 300 }, async (_, number) => {
    await new Promise((resolve) => setTimeout(resolve, 5 * number));
    const { text } = await ask(number % 2 === 0 ? "echo.say" : "echo.shout", `number ${number}`);
    answered += 1;
    if (answered === 100) killed = end(workers[0]!, "SIGKILL");
    return text;
  });
  expect(await Promise.all(asked)).toEqual(
    Array.from({ length: 300 }, (_, number) => (number % 2 === 0 ? `number ${number}` : `NUMBER ${number}`)),
  );
  await killed;
  expect(workers[0]!.signalCode).toBe("SIGKILL"); // the control: it was killed while requests were open
}, 60_000);

test("the control: where nobody is left, a request ends with a code of this application", async () => {
  await end(workers[1]!, "SIGKILL");
  await expect(ask("echo.say", "hello", 1500)).rejects.toMatchObject({ name: "Refusal", code: "TOO_LATE" });
}, 60_000);
