import { newAccount, newPassword, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run({ ask, refused }) {
    const account = newAccount();
    await ask("auth.account.register", account);
    await refused("auth.account.register", { ...account, password: newPassword() });
    await refused("auth.account.register", { ...newAccount(), password: newPassword().slice(0, 14) }); // too weak
    await refused("auth.account.register", { ...newAccount(), password: newPassword().padEnd(2000, "x") });
  },
});
