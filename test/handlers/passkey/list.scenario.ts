import { forged, newUserWithPasskey, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken } = await newUserWithPasskey(runner);
    await runner.ask("auth.passkey.list", { accessToken });
    await runner.refused("auth.passkey.list", { accessToken: forged("a.b") });
  },
});
