import { newUserWithPasskey, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    await newUserWithPasskey(runner);
  },
});
