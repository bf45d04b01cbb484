import { newAccount, newPassword, newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, password } = await newUser(runner);
    const newEmail = newAccount().email;
    await runner.refused("auth.account.change-email", { accessToken, password: newPassword(), newEmail });
    await runner.refused("auth.account.change-email", { accessToken, password, newEmail: "no address" });
    await runner.ask("auth.account.change-email", { accessToken, password, newEmail });
  },
});
