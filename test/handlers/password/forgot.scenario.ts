import { newAccount, scenario } from "../../support/scenarios.ts";

export default scenario({
  async run({ ask }) {
    await ask("auth.password.forgot", { email: newAccount().email });
  },
});
