import { newUserWithPasskey, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, passkeyId } = await newUserWithPasskey(runner);
    await runner.ask("auth.passkey.remove", { accessToken, passkeyId });
    await runner.refused("auth.passkey.remove", { accessToken, passkeyId });
  },
});
