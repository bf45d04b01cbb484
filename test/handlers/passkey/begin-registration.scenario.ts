import { newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, refreshToken } = await newUser(runner);
    await runner.ask("auth.passkey.begin-registration", { accessToken });
    await runner.refused("auth.passkey.begin-registration", { accessToken: refreshToken });
  },
});
