import { newUserWithPasskey, scenario, text } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { login, device } = await newUserWithPasskey(runner);
    const begun = await runner.ask("auth.passkey.begin-login", { login, challenge: "" });
    const { challenge } = begun;
    const wrong = device.get(text(begun, "options"), { forged: true });
    await runner.refused("auth.passkey.finish-login", { challenge, response: wrong });
    await runner.ask("auth.passkey.finish-login", { challenge, response: device.get(text(begun, "options")) });
  },
});
