import { forged, newPassword, newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { ask, refused, mailedToken } = runner;
    const { email, login } = await newUser(runner);
    await ask("auth.password.forgot", { email });
    const token = await mailedToken(email);
    const password = newPassword();
    await refused("auth.password.reset", { token: forged(token), newPassword: newPassword() });
    await refused("auth.password.reset", { token, newPassword: newPassword().slice(0, 14) });
    await ask("auth.password.reset", { token, newPassword: password });
    await refused("auth.password.reset", { token, newPassword: newPassword() });
    await ask("auth.session.login", { login, password });
  },
  tellsNothing: "needs a link's token",
});
