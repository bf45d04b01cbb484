import { scenario } from "../../support/scenarios.ts";

export default scenario({
  async run({ ask }) {
    await ask("auth.key.list", {});
  },
  tellsNothing: "has no input",
});
