import { forged, newUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { refreshToken } = await newUser(runner);
    await runner.refused("auth.session.refresh", { refreshToken: forged(refreshToken) });
    const second = await runner.ask("auth.session.refresh", { refreshToken });
    await runner.ask("auth.session.refresh", { refreshToken: second["refreshToken"] });
    await runner.refused("auth.session.refresh", { refreshToken }); // an ancestor: the session ends
  },
  tellsNothing: "needs a refresh token",
});
