import { totpCode, totpStep } from "../../../src/crypto/totp.ts";
import { challengeOf, forged, newUserWithApp, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const one = await newUserWithApp(runner);
    const challenge = await challengeOf(runner, one);
    const code = totpCode(one.secret, totpStep(Date.now()) + 1); // the present one was used to activate it
    await runner.refused("auth.session.login-mfa", { challenge: forged(challenge), method: "totp", code });
    await runner.refused("auth.session.login-mfa", { challenge, method: "recovery", code: "a code that is none" });
    await runner.ask("auth.session.login-mfa", { challenge, method: "totp", code });
    const [recovery = ""] = one.codes;
    const again = await challengeOf(runner, one);
    await runner.ask("auth.session.login-mfa", { challenge: again, method: "recovery", code: recovery });
  },
  tellsNothing: "needs a challenge that only the right password gives",
});
