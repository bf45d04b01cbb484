// Bare argon2.verify in a process of its own: what a login costs at the least.
import { hash, verify } from "argon2";
import { answer, childOptions } from "./child.ts";
import { closedLoop, type Width } from "./measure.ts";

export interface Argon2Options {
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

let stored = "";
answer({
  async ready() {
    stored = await hash("the password", childOptions<Argon2Options>());
  },
  run: (width: Width) => closedLoop(width, () => verify(stored, "the password")),
});
