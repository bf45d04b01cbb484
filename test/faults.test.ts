// Every fault that a control plants is still a line of src, once: a control whose line has gone would show nothing, or
// would never come up.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { faults } from "./support/faults.ts";

const src = join(import.meta.dirname, "..", "src");
const times = (module: string, line: string): number => readFileSync(join(src, module), "utf8").split(line).length - 1;

test.each(Object.entries(faults))("%s is one line of src", (_name, { module, line, instead }) => {
  expect(times(module, line)).toBe(1);
  expect(instead).not.toBe(line);
});

test("a fault whose line does not exist in src is found (the control)", () => {
  expect(times("protocol/errors.ts", "  return somethingElse;")).toBe(0);
});
