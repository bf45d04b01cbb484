import { actOnUser, readingRights, scenario } from "../../support/scenarios.ts";

export default scenario({
  run: actOnUser({}),
  rights: readingRights("users.read"),
  readsOnly: true,
});
