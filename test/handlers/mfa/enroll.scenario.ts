import { newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, refreshToken } = await newUser(runner);
    await runner.ask("auth.mfa.enroll", { accessToken });
    await runner.refused("auth.mfa.enroll", { accessToken: refreshToken });
  },
});
