import { newPassword, newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, password } = await newUser(runner);
    const change = { accessToken, currentPassword: password, newPassword: newPassword() };
    await runner.refused("auth.password.change", { ...change, currentPassword: newPassword() });
    await runner.refused("auth.password.change", { ...change, newPassword: newPassword().slice(0, 14) });
    await runner.ask("auth.password.change", change);
  },
});
