// authctl users export: everything that is stored about a user, for one who asks by letter or mail
// (auth.admin.export-user). The output file is new and readable by its owner alone. It is created before the fleet is
// asked: an export that could not be saved would still be an event, and the next one has to wait ten minutes. Where
// there is no export, the file is removed.
import { type FileHandle, open, rm } from "node:fs/promises";
import { type CommandResult, type Invocation, textOption } from "../command.ts";
import { UsageFault } from "../faults.ts";
import { documentText } from "../terminal/safe-terminal.ts";
import { asActor } from "./act.ts";

export async function usersExport(call: Invocation): Promise<CommandResult> {
  const reason = textOption(call, "reason") ?? "";
  if (reason.trim() === "") throw new UsageFault("Say why: --reason TEXT.");
  const [target = ""] = call.words;
  return asActor(call, async ({ client, actorToken }) => {
    const ask = async (): Promise<Copy> => {
      const { document } = await client.request("auth.admin.export-user", { actorToken, target, reason });
      return JSON.parse(document) as Copy;
    };
    const output = textOption(call, "output");
    const copy = await (output === undefined ? ask() : intoNewFile(output, ask));
    for (const [list, { olderThan }] of Object.entries(copy.leftOut))
      call.terminal.err(`Too long for one document: ${leftOutText(list, olderThan)} is left out.`);
    return output === undefined ? { document: copy, lines: documentText(copy).split("\n") } : keptIn(output, copy);
  });
}

interface Copy {
  account: { id: number; login: string };
  /** By the names of the lists that were too long. */
  leftOut: Record<string, { olderThan: string | null }>;
}

const exportText = (copy: Copy): string => JSON.stringify(copy, null, 2);

/** @param olderThan null: there was no room for any of it */
const leftOutText = (list: string, olderThan: string | null): string =>
  olderThan === null ? `all of ${list}` : `what of ${list} is older than ${olderThan}`;

function keptIn(output: string, { account: { id, login } }: Copy): CommandResult {
  return {
    document: { userId: id, login, output },
    lines: [`Everything that is held about ${login} (${id}) is in ${output}.`],
  };
}

/** @throws UsageFault where the file is there or cannot be written, and what `ask` throws: there is no file then */
async function intoNewFile(path: string, ask: () => Promise<Copy>): Promise<Copy> {
  const file = await open(path, "wx", 0o600).catch((error: unknown) => {
    throw cannotBeWritten(path, error);
  });
  try {
    const copy = await ask();
    await written(file, `${exportText(copy)}\n`, path);
    return copy;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

async function written(file: FileHandle, text: string, path: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    throw cannotBeWritten(path, error);
  }
}

function cannotBeWritten(path: string, thrown: unknown): UsageFault {
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (code === "EEXIST") return new UsageFault(`${path} is there already: name another file with --output.`);
  return new UsageFault(`The copy cannot be written: ${message}`);
}
