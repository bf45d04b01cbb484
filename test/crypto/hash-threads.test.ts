// The threads of libuv's pool give way, the event loop does not. In a process of its own: this one's threads have other
// work.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";

const source = join(import.meta.dirname, "..", "..", "src", "crypto", "hash-threads.ts");
const script = `
  import { readdirSync, readFileSync } from "node:fs";
  import { getPriority } from "node:os";
  import { hash } from "argon2";
  import { lowerHashPriority } from ${JSON.stringify(source)};
  const pool = () => readdirSync("/proc/self/task").filter((id) => readFileSync("/proc/self/task/" + id + "/comm", "utf8") === "libuv-worker\\n");
  const priorities = () => [...new Set(pool().map((id) => getPriority(Number(id))))];
  await hash("something", { memoryCost: 1024, timeCost: 2, parallelism: 1 });
  const before = priorities();
  const threads = lowerHashPriority();
  console.log(JSON.stringify({ before, after: priorities(), loop: getPriority(), threads }));
`;

test("threads of the pool are made nicer, the process is not", async () => {
  const child = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
    env: { ...process.env, UV_THREADPOOL_SIZE: "6" },
  });
  const { before, after, loop, threads } = JSON.parse(child.stdout);
  expect(before).toEqual([loop]);
  expect(after).toEqual([10]);
  expect(threads).toBe(6);
});
