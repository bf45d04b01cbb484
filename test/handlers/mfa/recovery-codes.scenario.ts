import { newUser, newUserWithApp, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken } = await newUserWithApp(runner);
    await runner.ask("auth.mfa.recovery-codes", { accessToken });
    const other = await newUser(runner);
    await runner.refused("auth.mfa.recovery-codes", { accessToken: other.accessToken });
  },
});
