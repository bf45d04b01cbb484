import { newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken } = await newUser(runner);
    await runner.ask("auth.account.change-locale", { accessToken, locale: "de" });
    await runner.refused("auth.account.change-locale", { accessToken, locale: "no language" });
  },
});
