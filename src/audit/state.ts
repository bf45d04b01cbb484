// Compares accounts with their audit: every account as it stands - password, confirmation, address, roles, ban,
// authenticator app, recovery codes, passkeys - with the digest that the last event about that aspect left
// (command/audit-rows.ts); and a recovery code whose use was audited is used. What somebody wrote to the database past
// the fleet is then another value than its audit says. What the audit itself is worth, audit/verify.ts says; this
// believes it.
//
// A page of accounts, their newest digests and the rows that wait to be chained are read in one snapshot, in which a
// commit is there with all of its parts or not at all; so nothing that goes on meanwhile looks like a write of somebody
// else's. Memory holds a page and what waits.
//
// An aspect is unknown where its last event is from before digests were kept, or where the audit's oldest months are
// gone, no event is left, and it is not as it was in the beginning. It does not know whom somebody deleted from the
// database, and tells no session, link or attempt from a forged one.
import { type AuditEntry, openEntry, openPersonal, openSubjectKey, stateDigest, stateField } from "../crypto/audit.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import {
  type AccountState,
  accountStates,
  initialStates,
  noPasskeysState,
  passkeyPrefix,
  passkeyState,
  usedCodePrefix,
} from "../db/account-state.ts";
import { inSnapshot, type StateRow, speakingRows, stateRows, waitingEntries } from "../db/audit-state.ts";
import type { DatabasePool } from "../db/pool.ts";

export interface AccountComparison {
  pool: DatabasePool;
  dataKeys: DataKeys;
  /** Whether the audit has every row from its first on: then an account without an event was made by nobody. */
  complete: boolean;
  /** Accounts of a page; default 1000. */
  pageSize?: number;
  /** After each page: how many accounts were compared. */
  moved?(accounts: number): void;
}

export interface Differing {
  userId: number;
  login: string;
  /**
   * What is not as its last event left it, each with the number of that row: 0 where it waits to be chained, null where
   * there is no event.
   */
  aspects: { aspect: string; row: number | null }[];
}

export interface StateVerdict {
  accounts: number;
  /** Accounts of which something is unknown, and nothing is found. */
  unknown: number;
  /** Accounts that differ. */
  differing: number;
  /** The first of them. */
  found: Differing[];
}

/** Rows that may wait to be chained: beyond it the relay is to catch up first. */
const mostWaiting = 20_000;
const mostFound = 1000;

export class TooManyWait extends Error {}

export async function compareAccounts({
  pool,
  dataKeys,
  complete,
  pageSize = 1000,
  moved,
}: AccountComparison): Promise<StateVerdict> {
  const verdict: StateVerdict = { accounts: 0, unknown: 0, differing: 0, found: [] };
  const initial = new Map(initialStates.map(({ aspect, value }) => [aspect, stateDigest(dataKeys, aspect, value)]));
  const opened = new Map<number, AuditEntry | undefined>(); // rows that wait are met on many pages
  for (let after = 0; ; ) {
    const page = await inSnapshot(pool, async (db) => {
      const accounts = await accountStates(db, { after, limit: pageSize });
      const ids = accounts.map(({ id }) => id);
      const waiting = await waitingRows(db);
      const entries = waiting.map(({ id, box }) => ({ id, entry: entryOf(opened, dataKeys, { id, box }) }));
      return {
        accounts,
        chained: await stateRows(db, ids),
        old: await speakingRows(db, { users: ids, events: speakingEvents }),
        entries,
      };
    });
    const known = histories(page, dataKeys);
    for (const account of page.accounts) {
      const history = known.get(account.id) ?? noHistory();
      count(verdict, account, compare(account, history, { complete, initial, dataKeys }));
    }
    moved?.(verdict.accounts);
    const last = page.accounts.at(-1);
    if (last === undefined || page.accounts.length < pageSize) return verdict;
    after = last.id;
  }
}

/** @throws TooManyWait */
async function waitingRows(db: Parameters<typeof waitingEntries>[0]): ReturnType<typeof waitingEntries> {
  const waiting = await waitingEntries(db, mostWaiting + 1);
  if (waiting.length <= mostWaiting) return waiting;
  throw new TooManyWait(
    `More than ${mostWaiting} rows wait to be chained: run a relay, and this again when it is done.`,
  );
}

function count(verdict: StateVerdict, { id, login }: AccountState, { differing, unknown }: Compared): void {
  verdict.accounts += 1;
  if (differing.length > 0) {
    verdict.differing += 1;
    if (verdict.found.length < mostFound) verdict.found.push({ userId: id, login, aspects: differing });
  } else if (unknown) verdict.unknown += 1;
}

function entryOf(
  opened: Map<number, AuditEntry | undefined>,
  dataKeys: DataKeys,
  { id, box }: { id: number; box: Buffer },
): AuditEntry | undefined {
  if (!opened.has(id)) {
    const entry = openEntry(dataKeys, box);
    opened.set(id, typeof entry === "string" ? undefined : entry); // one that the fleet has not sealed says nothing
  }
  return opened.get(id);
}

interface AuditedAspect {
  digest: string | undefined;
  /** Of the row; what waits comes behind all that is chained. */
  order: number;
}

interface History {
  /** By aspect, the newest. */
  said: Map<string, AuditedAspect>;
  /** By kind of aspect, the order of the newest event that is from before digests were kept. */
  old: Map<string, number>;
}

const noHistory = (): History => ({ said: new Map(), old: new Map() });
const waitingFrom = 2 ** 52;

interface Page {
  chained: readonly StateRow[];
  old: readonly { userId: number; event: string; number: number }[];
  entries: readonly { id: number; entry: AuditEntry | undefined }[];
}

function histories({ chained, old, entries }: Page, dataKeys: DataKeys): Map<number, History> {
  const known = new Map<number, History>();
  const historyOf = (userId: number): History => {
    const history = known.get(userId) ?? noHistory();
    known.set(userId, history);
    return history;
  };
  const add = (userId: number, order: number, digests: Record<string, unknown>): void => {
    const { said } = historyOf(userId);
    for (const [aspect, digest] of Object.entries(digests))
      if (order > (said.get(aspect)?.order ?? -1)) said.set(aspect, { digest: String(digest), order });
  };
  for (const row of chained) add(row.userId, row.number, digestsIn(row, dataKeys));
  for (const { userId, event, number } of old)
    for (const kind of speaksOf[event] ?? []) {
      const { old: kinds } = historyOf(userId);
      kinds.set(kind, Math.max(number, kinds.get(kind) ?? 0));
    }
  for (const { id, entry } of entries) {
    const digests = entry?.personal?.[stateField.digests];
    if (entry?.userId != null && digests !== undefined)
      add(entry.userId, waitingFrom + id, digests as object as Record<string, unknown>);
  }
  return known;
}

/** Which aspects an event speaks of: one without digests is from before they were kept. */
const speaksOf: Readonly<Record<string, readonly string[]>> = {
  UserRegistered: ["password", "confirmed", "address"],
  UserConfirmed: ["confirmed"],
  EmailChanged: ["address"],
  PasswordChanged: ["password"],
  PasswordReset: ["password"],
  RolesChanged: ["roles"],
  UserBanned: ["ban"],
  UserUnbanned: ["ban"],
  MfaChanged: ["app", "recovery codes", "passkey"],
};
const speakingEvents = Object.keys(speaksOf);

/** Nothing where they do not open: then no account fits them. */
function digestsIn(
  { userId, eventId, personal, subjectBox, aspects }: StateRow,
  dataKeys: DataKeys,
): Record<string, unknown> {
  try {
    const subject = openSubjectKey(dataKeys, userId, subjectBox!);
    const digests = openPersonal(dataKeys, subject, { eventId, personal: personal! })[stateField.digests];
    return digests as Record<string, unknown>;
  } catch {
    return Object.fromEntries(aspects.map((aspect) => [aspect, "unreadable"]));
  }
}

interface Compared {
  differing: Differing["aspects"];
  /** It cannot be told: something changed the aspect before the audit said what it was. */
  unknown: boolean;
}

interface ComparisonInput {
  complete: boolean;
  initial: ReadonlyMap<string, string>;
  dataKeys: DataKeys;
}

function compare(
  { decoy, state, unused }: AccountState,
  { said, old }: History,
  { complete, initial, dataKeys }: ComparisonInput,
): Compared {
  if (decoy) {
    // A decoy has no user, so nothing is audited of it: one that has a history was an account.
    const newest = [...said.values()].at(-1);
    return { differing: newest === undefined ? [] : [{ aspect: "decoy", row: rowOf(newest) }], unknown: false };
  }
  const differing: Differing["aspects"] = [];
  let unknown = false;
  const judge = (
    aspect: string,
    kind: string,
    now: string,
    audited: AuditedAspect | undefined,
    otherwise: string,
  ): void => {
    const before = old.get(kind);
    if (before !== undefined && before > (audited?.order ?? -1)) unknown = true;
    else if (audited === undefined && !complete && otherwise !== now) unknown = true;
    else if ((audited?.digest ?? otherwise) !== now)
      differing.push({ aspect, row: audited === undefined ? null : rowOf(audited) });
  };
  const cleared = said.get(noPasskeysState.aspect)?.order ?? -1;
  for (const hash of unused) {
    const used = said.get(`${usedCodePrefix}${hash}`);
    if (used !== undefined) differing.push({ aspect: "used code", row: rowOf(used) });
  }
  for (const [aspect, now] of currentDigests(state, said, dataKeys)) {
    if (!isPasskey(aspect)) {
      judge(aspect, aspect, now, said.get(aspect), initial.get(aspect) ?? "");
      continue;
    }
    const own = said.get(aspect);
    const audited = own !== undefined && own.order > cleared ? own : undefined;
    judge("passkey", "passkey", now, audited, absent(dataKeys, aspect));
  }
  return { differing, unknown };
}

const isPasskey = (aspect: string): boolean => aspect.startsWith(passkeyPrefix);

/** Of the account as it is; passkeys that only the audit knows are among them, as absent. */
function currentDigests(
  state: AccountState["state"],
  said: ReadonlyMap<string, AuditedAspect>,
  dataKeys: DataKeys,
): Map<string, string> {
  const current = new Map(state.map(({ aspect, value }) => [aspect, stateDigest(dataKeys, aspect, value)]));
  for (const aspect of [...said.keys()].filter(isPasskey))
    if (!current.has(aspect)) current.set(aspect, absent(dataKeys, aspect));
  return current;
}

function absent(dataKeys: DataKeys, aspect: string): string {
  const { value } = passkeyState(aspect.slice(passkeyPrefix.length), null);
  return stateDigest(dataKeys, aspect, value);
}

const rowOf = ({ order }: AuditedAspect): number => (order >= waitingFrom ? 0 : order);
