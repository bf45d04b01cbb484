import { newAccount, newPassword, newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { login, password } = await newUser(runner);
    await runner.ask("auth.session.login", { login, password });
    await runner.ask("auth.session.login", { login, password, rotating: false });
    await runner.refused("auth.session.login", { login, password: newPassword() });
    await runner.refused("auth.session.login", { login: newAccount().login, password: newPassword() });
    await runner.refused("auth.session.login", { login: "", password: newPassword() });
  },
});
