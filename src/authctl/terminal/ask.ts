// The question before something that cannot be undone, and --yes instead of an answer.
import { flagOption, type Invocation } from "../command.ts";
import { UsageFault } from "../faults.ts";

/** To be called before anything is read. @throws UsageFault where nobody can be asked and --yes is not said */
export function checkAskable(call: Invocation): void {
  if (flagOption(call, "yes")) return;
  if (flagOption(call, "json")) throw new UsageFault("With --json nobody is asked: say --yes.");
  if (call.terminal.ask === undefined) {
    throw new UsageFault("Nobody can be asked, because standard input is no terminal: say --yes.");
  }
}

export async function confirmed(call: Invocation, question: string): Promise<boolean> {
  if (flagOption(call, "yes")) return true;
  const answer = (await call.terminal.ask?.(`${question} [y/N] `)) ?? "";
  return /^y(es)?$/i.test(answer.trim());
}
