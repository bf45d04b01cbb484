import { newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, refreshToken } = await newUser(runner);
    await runner.ask("auth.session.inspect", { accessToken });
    await runner.refused("auth.session.inspect", { accessToken: refreshToken });
  },
});
