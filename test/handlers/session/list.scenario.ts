import { newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, refreshToken } = await newUser(runner);
    await runner.ask("auth.session.list", { accessToken });
    await runner.refused("auth.session.list", { accessToken: refreshToken });
  },
});
