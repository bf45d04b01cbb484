// Bare argon2.verify in a process of its own: what a login costs at the least.
import { hash, verify } from "argon2";
import { answer } from "./child.ts";
import { closedLoop, type Width } from "./measure.ts";

export interface Argon2Options {
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

let stored = "";
answer({
  ready: () => undefined,
  async cost(cost: Argon2Options) {
    stored = await hash("the password", cost);
  },
  run: (width: Width) => closedLoop(width, () => verify(stored, "the password")),
});
