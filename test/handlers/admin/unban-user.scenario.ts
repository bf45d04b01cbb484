import { actOnUser, scenario, userRights } from "../../support/scenarios.ts";

export default scenario({
  run: actOnUser({ reason: "a test" }),
  rights: userRights("users.ban"),
});
