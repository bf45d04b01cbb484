import { newUser, roleRights, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken } = await newUser(runner);
    const change = { role: "user", required: false, reason: "a test" };
    await runner.refused("auth.admin.require-mfa", { actorToken: accessToken, ...change });
    await runner.ask("auth.admin.require-mfa", { actorToken: await runner.operatorToken(), ...change });
  },
  rights: roleRights({ required: true }),
});
