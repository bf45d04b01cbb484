import { newUserWithApp, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken } = await newUserWithApp(runner);
    await runner.refused("auth.mfa.activate", { accessToken, code: "a code that is none" });
  },
});
