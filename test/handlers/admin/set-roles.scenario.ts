import { actOnUser, scenario } from "../../support/scenarios.ts";

export default scenario({
  run: actOnUser({ roles: ["admin"], reason: "a test" }),
  rights: {
    permission: "users.set-roles",
    does: "gives and takes roles",
    input: ({ target, role }) => ({ target, roles: role === "" ? [] : [role], reason: "a test" }),
  },
});
