import { newUserWithApp, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken } = await newUserWithApp(runner);
    await runner.ask("auth.mfa.disable", { accessToken });
    await runner.refused("auth.mfa.disable", { accessToken });
  },
});
