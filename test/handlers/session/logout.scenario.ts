import { type Answer, newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { accessToken, login, password } = await newUser(runner);
    await runner.ask("auth.session.logout", { accessToken });
    await runner.refused("auth.session.logout", { accessToken, everywhere: true });
    const { tokens } = await runner.ask("auth.session.login", { login, password });
    await runner.ask("auth.session.logout", { accessToken: (tokens as Answer)["accessToken"], everywhere: true });
  },
});
