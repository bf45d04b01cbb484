import { actOnRoles, newAccount, roleRights, scenario } from "../../support/scenarios.ts";

export default scenario({
  run: actOnRoles(() => ({ role: newAccount().login, create: true })),
  rights: roleRights({ grant: [], revoke: ["roles.change"] }),
});
