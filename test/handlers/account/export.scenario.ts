import { newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken } = await newUser(runner);
    await runner.ask("auth.account.export", { accessToken });
    await runner.refused("auth.account.export", { accessToken });
  },
});
