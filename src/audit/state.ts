// Compares accounts with their audit: every account's password, confirmation, address, roles, ban, authenticator app,
// recovery codes and passkeys with the digest that the last event about that aspect left (command/audit-rows.ts), and
// that a recovery code whose use was audited is used. What was written to the database past the fleet then differs from
// its audit. The audit itself is verified by audit/verify.ts and trusted here.
//
// A page of accounts, their newest digests and the rows waiting to be chained are read in one snapshot, which contains
// a commit as a whole or not at all; so nothing that the fleet does meanwhile looks like a foreign write. Memory holds
// one page and the waiting rows.
//
// An aspect is unknown where its last event is from before digests were stored, or where the audit's oldest months are
// gone, no event is left, and it differs from a new account's. Users deleted past the fleet are not found, nor are
// forged sessions, links or attempts.
import {
  type AuditEntry,
  decryptEntry,
  decryptPersonal,
  decryptUserKey,
  stateDigest,
  stateField,
} from "../crypto/audit.ts";
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
  /** Whether the audit has all rows from the first on: then an account without an event was created past the fleet. */
  complete: boolean;
  /** Accounts per page; default 1000. */
  pageSize?: number;
  /** Called after each page with the number of compared accounts. */
  moved?(accounts: number): void;
}

export interface Differing {
  userId: number;
  login: string;
  /**
   * What differs from its last event, with that row's number: 0 where the row waits to be chained, null where there is
   * no event.
   */
  aspects: { aspect: string; row: number | null }[];
}

export interface StateVerdict {
  accounts: number;
  /** Accounts with something unknown and no difference. */
  unknown: number;
  /** Accounts that differ. */
  differing: number;
  /** The first of the differing accounts. */
  found: Differing[];
}

/** The most rows that may wait to be chained: beyond it the relay must catch up first. */
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
  const opened = new Map<number, AuditEntry | undefined>(); // waiting rows appear on many pages
  for (let after = 0; ; ) {
    const page = await inSnapshot(pool, async (db) => {
      const accounts = await accountStates(db, { after, limit: pageSize });
      const ids = accounts.map(({ id }) => id);
      const waiting = await waitingRows(db);
      const entries = waiting.map(({ id, encrypted }) => ({ id, entry: entryOf(opened, dataKeys, { id, encrypted }) }));
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
  { id, encrypted }: { id: number; encrypted: Buffer },
): AuditEntry | undefined {
  if (!opened.has(id)) {
    const entry = decryptEntry(dataKeys, encrypted);
    opened.set(id, typeof entry === "string" ? undefined : entry); // undefined: not encrypted by this fleet
  }
  return opened.get(id);
}

interface AuditedAspect {
  digest: string | undefined;
  /** The row's number; waiting rows come after all chained ones. */
  order: number;
}

interface History {
  /** By aspect, the newest row. */
  said: Map<string, AuditedAspect>;
  /** By kind of aspect, the position of the newest event from before digests were stored. */
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

/** The aspects that an event changes; a row without digests is from before they were stored. */
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

/** Empty where they cannot be decrypted: then the account differs. */
function digestsIn(
  { userId, eventId, personal, encryptedUserKey, aspects }: StateRow,
  dataKeys: DataKeys,
): Record<string, unknown> {
  try {
    const userKey = decryptUserKey(dataKeys, userId, encryptedUserKey!);
    const digests = decryptPersonal(dataKeys, userKey, { eventId, personal: personal! })[stateField.digests];
    return digests as Record<string, unknown>;
  } catch {
    return Object.fromEntries(aspects.map((aspect) => [aspect, "unreadable"]));
  }
}

interface Compared {
  differing: Differing["aspects"];
  /** Cannot be compared: the aspect changed before digests were stored. */
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
    // A decoy has no user and no audit rows: one with a history was an account.
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

/** The digests of the account as it is; passkeys that only the audit knows are included as absent. */
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
