import { newPassword, newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, password } = await newUser(runner);
    await runner.refused("auth.account.delete", { accessToken, password: newPassword() });
    await runner.ask("auth.account.delete", { accessToken, password });
    await runner.refused("auth.account.delete", { accessToken, password });
  },
});
