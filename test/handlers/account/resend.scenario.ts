import { newAccount, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run({ ask, mailedToken }) {
    const account = newAccount();
    await ask("auth.account.register", account);
    await mailedToken(account.email);
    await ask("auth.account.resend", { email: account.email });
    await mailedToken(account.email);
  },
});
