import { actOnRoles, newAccount, roleRights, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const role = newAccount().login;
    await runner.ask("auth.admin.change-role", { actorToken: await runner.operatorToken(), role, create: true });
    await actOnRoles(() => ({ role }))(runner, "auth.admin.delete-role");
  },
  rights: roleRights(),
});
