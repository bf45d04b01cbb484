import { newUser, readingRights, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { login, accessToken } = await newUser(runner);
    const asked = { search: login.slice(0, 4), cursor: "", limit: 1 };
    await runner.refused("auth.admin.find-users", { actorToken: accessToken, ...asked });
    const actorToken = await runner.operatorToken();
    const { cursor } = await runner.ask("auth.admin.find-users", { actorToken, ...asked });
    await runner.ask("auth.admin.find-users", { actorToken, ...asked, cursor });
  },
  rights: readingRights("users.read", { search: "", cursor: "" }),
  readsOnly: true,
});
