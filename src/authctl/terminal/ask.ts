// The question before something is done that cannot be undone, and --yes instead of an answer.
import { type Call, UsageFault } from "../command.ts";

/** To be called before anything is read. @throws UsageFault where nobody can be asked and --yes is not said */
export function checkAskable(call: Call): void {
  if (call.options["yes"] === true) return;
  if (call.options["json"] === true) throw new UsageFault("With --json nobody is asked: say --yes.");
  if (call.terminal.ask === undefined) {
    throw new UsageFault("Nobody can be asked, because standard input is no terminal: say --yes.");
  }
}

export async function confirmed(call: Call, question: string): Promise<boolean> {
  if (call.options["yes"] === true) return true;
  const answer = (await call.terminal.ask?.(`${question} [y/N] `)) ?? "";
  return /^y(es)?$/i.test(answer.trim());
}
