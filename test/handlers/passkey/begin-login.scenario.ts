import { challengeOf, forged, newAccount, newUserWithPasskey, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const one = await newUserWithPasskey(runner);
    await runner.ask("auth.passkey.begin-login", { login: one.login, challenge: "" });
    await runner.ask("auth.passkey.begin-login", { login: newAccount().login, challenge: "" });
    const challenge = await challengeOf(runner, one);
    await runner.ask("auth.passkey.begin-login", { login: one.login, challenge });
    await runner.refused("auth.passkey.begin-login", { login: one.login, challenge: forged(challenge) });
  },
  readsOnly: true,
});
