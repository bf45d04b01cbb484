import { actOnRoles, readingRights, scenario } from "../../support/scenarios.ts";

export default scenario({
  run: actOnRoles(() => ({})),
  rights: readingRights("operators.manage"),
  readsOnly: true,
});
