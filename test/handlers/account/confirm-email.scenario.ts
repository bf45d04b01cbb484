import { forged, newAccount, newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, password } = await newUser(runner);
    const newEmail = newAccount().email;
    await runner.ask("auth.account.change-email", { accessToken, password, newEmail });
    const token = await runner.mailedToken(newEmail);
    await runner.refused("auth.account.confirm-email", { token: forged(token) });
    await runner.ask("auth.account.confirm-email", { token });
    await runner.refused("auth.account.confirm-email", { token });
  },
  tellsNothing: "needs a link's token",
});
