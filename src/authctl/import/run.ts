// The run of an import: page by page from its source. A page is checked, split where two of its rows want the same
// name, and written together with the position reached. Memory holds two pages. A run that is told to stop does so
// between two batches, and the next run continues there.
//
// A dry run reads, checks and looks users up in the same way; it notes the users it would create in a temporary table.
import { eventTopic } from "../../command/outbox-rows.ts";
import { uuidv7 } from "../../crypto/ids.ts";
import {
  type Counts,
  type Holder,
  holdersOf,
  type ImportedUser,
  isLostRace,
  newIds,
  quarantined,
  rejectedBefore,
  writeBatch,
  writeRehearsal,
} from "../../db/imports.ts";
import type { CommonQueryMethods } from "../../db/pool.ts";
import type { Clock } from "../../lib/clock.ts";
import type { RejectsFile } from "./rejects.ts";
import { type Candidate, type CheckedRow, checkRow, type Reject, type Roles, RowFault, toReject } from "./rows.ts";
import { ahead, type Source, type SourcePosition } from "./source.ts";

export interface ImportRun {
  db: CommonQueryMethods;
  source: Source;
  from: SourcePosition;
  roles: Roles;
  rejects: RejectsFile;
  dryRun: boolean;
  /** Finds quarantined logins; undefined in a dry run without the master key. */
  loginHash: ((loginKey: string) => Buffer) | undefined;
  /** With --again: how far the earlier run came, and its counts, which stay. */
  again: { upTo: number; counts: Counts } | undefined;
  /** Who publishes UserRegistered; undefined: nobody. */
  events: string | undefined;
  /** Seals the row of a user for the audit; not called in a dry run. */
  audited(user: ImportedUser): Buffer;
  /** Counts on in here. */
  counts: Counts;
  clock: Clock;
  stopping: AbortSignal;
  /** Noted in here. */
  reached: Reached;
  /** After each batch. */
  moved(place: SourcePosition): void;
}

/** How far this run came. */
export interface Reached {
  rows: number;
  largestId: number;
  /** Whether it came to the end of the source. */
  ended: boolean;
}

const maxAttempts = 5;

export async function runImport(run: ImportRun): Promise<void> {
  const { reached } = run;
  for await (const page of ahead(run.source.pages(run.from))) {
    const checked = page.map((row) => ({ ...checkRow(row, run.roles), place: row }));
    for (const group of apart(checked)) {
      if (run.stopping.aborted) return;
      await writeGroup(run, group);
      reached.rows += group.length;
      run.moved(group.at(-1)!.place);
    }
  }
  reached.ended = true;
}

type Placed = CheckedRow & { place: SourcePosition };

/** Groups in which no two rows want the same id, login or e-mail address: the second finds the first one there. */
function* apart(checked: readonly Placed[]): Generator<Placed[]> {
  let group: Placed[] = [];
  let taken = new Set<string>();
  for (const each of checked) {
    const keys = "candidate" in each ? uniqueKeys(each.candidate) : [];
    if (keys.some((key) => taken.has(key))) {
      yield group;
      [group, taken] = [[], new Set()];
    }
    group.push(each);
    for (const key of keys) taken.add(key);
  }
  if (group.length > 0) yield group;
}

function uniqueKeys({ id, loginKey, emailKey }: Candidate): string[] {
  return [`l ${loginKey}`, `e ${emailKey}`, ...(id === null ? [] : [`i ${id}`])];
}

/** What becomes of a group. */
interface Decided {
  fresh: Candidate[];
  rejects: Reject[];
  present: number;
  gone: number;
}

async function writeGroup(run: ImportRun, group: readonly Placed[]): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const decided = await decide(run, group);
      const counts = counted(run.counts, decided);
      await write(run, { decided, counts, place: group.at(-1)!.place });
      Object.assign(run.counts, counts);
      run.rejects.keep();
      return;
    } catch (error) {
      if (!isLostRace(error) || attempt === maxAttempts) throw error;
    }
  }
}

async function decide({ db, source, dryRun, again, loginHash }: ImportRun, group: readonly Placed[]): Promise<Decided> {
  const candidates = group.flatMap((each) => ("candidate" in each ? [each.candidate] : []));
  const decided: Decided = {
    fresh: [],
    rejects: group.flatMap((each) => ("reject" in each ? [each.reject] : [])),
    present: 0,
    gone: 0,
  };
  const held = holdersBy(await holdersOf(db, lookedUp(candidates), dryRun));
  const old = again === undefined ? [] : candidates.filter(({ position }) => position <= again.upTo);
  const open = await rejectedBefore(
    db,
    source.name,
    old.map(({ position }) => position),
  );
  const done = new Set(old.filter(({ position }) => !open.has(position)));
  const hashes = loginHash === undefined ? [] : candidates.map(({ loginKey }) => loginHash(loginKey));
  const kept = await quarantined(db, hashes);
  for (const [place, candidate] of candidates.entries()) {
    const found = standing(candidate, held);
    if (found === "present") decided.present += 1;
    else if (found instanceof RowFault) decided.rejects.push(toReject(candidate, found));
    else if (done.has(candidate)) decided.gone += 1;
    else if (kept.has(place)) decided.rejects.push(toReject(candidate, new RowFault("login-taken", keptForItsUser)));
    else decided.fresh.push(candidate);
  }
  decided.rejects.sort((left, right) => left.row - right.row);
  return decided;
}

const keptForItsUser =
  "the login belonged to a deleted account and is quarantined (AUTH_LOGIN_QUARANTINE): import --again when that is over";

function lookedUp(candidates: readonly Candidate[]) {
  return {
    ids: candidates.flatMap(({ id }) => (id === null ? [] : [id])),
    logins: candidates.map(({ loginKey }) => loginKey),
    emails: candidates.map(({ emailKey }) => emailKey),
  };
}

interface Holders {
  ids: ReadonlyMap<number, Holder>;
  logins: ReadonlyMap<string, Holder>;
  emails: ReadonlyMap<string, Holder>;
}

function holdersBy(holders: readonly Holder[]): Holders {
  return {
    ids: new Map(holders.map((each) => [each.id, each])),
    logins: new Map(holders.map((each) => [each.loginKey, each])),
    emails: new Map(holders.flatMap((each) => (each.confirmed ? [[each.emailKey, each]] : []))),
  };
}

/**
 * Undefined: there is none. The same id and login are the same user, also with another e-mail address since. Only a
 * confirmed account takes an address: unconfirmed accounts share it, and lose it to one that is imported as confirmed.
 */
function standing({ id, loginKey, emailKey }: Candidate, held: Holders): "present" | RowFault | undefined {
  const login = held.logins.get(loginKey);
  const same = id === null ? login?.emailKey === emailKey : login?.id === id;
  if (login?.decoy === true)
    return new RowFault(
      "login-taken",
      "the login is kept taken for some days by a registration: import it --again then",
    );
  if (login !== undefined && same) return "present";
  if (id !== null && held.ids.has(id))
    return new RowFault("id-taken", `the id belongs to the login ${held.ids.get(id)?.loginKey}`);
  if (login !== undefined)
    return new RowFault("login-taken", `the login, in any case, belongs to the user with the id ${login.id}`);
  const email = held.emails.get(emailKey);
  if (email === undefined) return undefined;
  return new RowFault("email-taken", `the e-mail address, in any case, belongs to the user with the id ${email.id}`);
}

function counted(before: Counts, { fresh, rejects, present, gone }: Decided): Counts {
  const plus = (counts: Record<string, number>, names: readonly string[]): Record<string, number> => {
    const sums = { ...counts };
    for (const name of names) sums[name] = (sums[name] ?? 0) + 1;
    return sums;
  };
  return {
    imported: before.imported + fresh.length,
    present: before.present + present,
    gone: before.gone + gone,
    rejected: plus(
      before.rejected,
      rejects.map(({ reason }) => reason),
    ),
    algorithms: plus(
      before.algorithms,
      fresh.map(({ algorithm }) => algorithm),
    ),
    unverified: plus(
      before.unverified,
      rejects.flatMap(({ algorithm }) => algorithm ?? []),
    ),
  };
}

async function write(
  run: ImportRun,
  { decided, counts, place }: { decided: Decided; counts: Counts; place: SourcePosition },
): Promise<void> {
  const { db, source, dryRun, clock, events } = run;
  const rejectsBytes = await run.rejects.write(decided.rejects);
  const users = await withIds(run, decided.fresh);
  run.reached.largestId = users.reduce((most, { id }) => Math.max(most, id), run.reached.largestId);
  if (dryRun) return writeRehearsal(db, users);
  const { position, nextByte } = place;
  await writeBatch(db, {
    source: source.name,
    users,
    audit: users.map(run.audited),
    rejects: decided.rejects.map(({ row, reason }) => ({ position: row, reason })),
    state: { position, nextByte, rejectsBytes, counts: run.again?.counts ?? counts },
    events:
      events === undefined
        ? undefined
        : {
            topic: eventTopic,
            actor: events,
            at: clock.now(),
            ids: users.map(() => uuidv7(clock)),
          },
  });
}

/** A dry run takes no id from the sequence. */
async function withIds({ db, dryRun }: ImportRun, candidates: readonly Candidate[]): Promise<ImportedUser[]> {
  const without = candidates.filter(({ id }) => id === null);
  const ids = dryRun ? without.map(({ position }) => -position) : await newIds(db, without.length);
  return candidates.map((candidate) => ({ ...candidate, id: candidate.id ?? ids.shift()! }));
}
