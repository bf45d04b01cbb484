import { forged, newAccount, newPassword, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run({ ask, refused, mailedToken }) {
    const account = newAccount();
    const { password } = account;
    await ask("auth.account.register", account);
    const token = await mailedToken(account.email);
    const given = { token, registrationSecret: "", password };
    await refused("auth.account.confirm", { ...given, token: forged(token) });
    await refused("auth.account.confirm", { ...given, password: newPassword() });
    await refused("auth.account.confirm", { ...given, registrationSecret: forged("a.").slice(2), password: "" });
    await ask("auth.account.confirm", { ...given, rotating: false });
    await refused("auth.account.confirm", given);
  },
  tellsNothing: "needs a link's token",
});
