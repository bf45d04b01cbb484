import { randomBytes } from "node:crypto";
import { newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken } = await newUser(runner);
    await runner.ask("auth.session.revoke", { accessToken, others: true });
    await runner.refused("auth.session.revoke", {
      accessToken: `${accessToken.slice(0, -20)}${randomBytes(15).toString("base64url")}`,
    });
  },
});
