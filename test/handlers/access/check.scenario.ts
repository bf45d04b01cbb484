import { newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, refreshToken } = await newUser(runner);
    await runner.ask("auth.access.check", { accessToken, permission: "users.ban" });
    await runner.refused("auth.access.check", { accessToken: refreshToken, permission: "users.ban" });
  },
});
