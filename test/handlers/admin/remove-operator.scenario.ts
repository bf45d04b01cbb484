import { actOnRoles, newOperator, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run(runner) {
    const { name, ...more } = newOperator();
    await runner.ask("auth.admin.add-operator", { actorToken: await runner.operatorToken(), name, ...more });
    await actOnRoles(() => ({ name, kid: null }))(runner, "auth.admin.remove-operator");
  },
  rights: {
    permission: "operators.manage",
    does: "removes operators",
    input: ({ target }) => ({ name: target, kid: null }),
  },
});
