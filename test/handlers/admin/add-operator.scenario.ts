import { actOnRoles, newOperator, newPublicKey, scenario } from "../../support/scenarios.ts";

/** One for all: who is enrolled with it has it, and may not be given it again. */
const publicKey = newPublicKey();

export default scenario({
  run: actOnRoles(newOperator),
  rights: {
    permission: "operators.manage",
    does: "enrols operators",
    input: ({ target, role }) => ({ name: target, publicKey, permissions: role === "" ? [] : [role] }),
  },
});
