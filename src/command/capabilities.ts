// Makes the context of one run of a handler: the core and the capabilities that the handler names.
import { mailCount } from "../accounts/mails.ts";
import type { Call } from "../bus/command.ts";
import { decryptPersonal, decryptUserKey } from "../crypto/audit.ts";
import type { DataKeyPurpose } from "../crypto/envelope.ts";
import { uuidv7 } from "../crypto/ids.ts";
import type { Keyring } from "../crypto/keys.ts";
import { findAnswer, readOnly, readWithInbox } from "../db/inbox.ts";
import { quarantineLogin } from "../db/quarantined-logins.ts";
import { normalize } from "../protocol/record-key.ts";
import { rememberedDevice } from "./attempts.ts";
import { auditRow } from "./audit-rows.ts";
import { commitAnswer, type RequestStorage } from "./commit.ts";
import { commitWithoutReply } from "./commit-without-reply.ts";
import type { ActingSession, Capabilities, Capability, Context, CoreContext } from "./context.ts";
import type { RunDeps } from "./deps.ts";
import { AlreadyAnswered, inboxKey } from "./inbox.ts";
import { loginHash } from "./keyed-hash.ts";

/** One run of a handler. */
interface Run {
  call: Call;
  storing: RequestStorage;
  /** Whether the inbox was already read for this request; never for a command that stores no answer. */
  inboxAsked: boolean;
  acting: ActingSession | undefined;
}

export function makeContext(
  deps: RunDeps,
  { call, storing }: { call: Call; storing: RequestStorage },
  needs: readonly Capability[],
): Context<Capability> {
  const run: Run = { call, storing, inboxAsked: storing.fingerprint === undefined, acting: undefined };
  const capabilities = needs.map((name) => [name, makers[name](deps, run)]);
  // Only the named capabilities exist at run time, though the type has all: the handler's own type is narrower.
  return { ...core(deps, run), ...(Object.fromEntries(capabilities) as Capabilities) };
}

function core(deps: RunDeps, run: Run): CoreContext {
  const { clock, settings, tokens } = deps;
  const { call, storing } = run;
  return {
    call,
    settings,
    tokens,
    now: () => clock.now(),
    uuid: () => uuidv7(clock),
    actIn(session) {
      run.acting = session;
    },
    ...reading(deps, run),
    audited: (event, userId) => auditRow(event, { userId, outcome: "ok", dataKeys: deps.dataKeys() }),
    async commit(change, result) {
      await commitAnswer(deps, { call, storing, acting: run.acting, change, answer: { ok: result } });
      return result;
    },
    async commitRefusal(change, refusal) {
      const { code, message, retryAfterMs, details } = refusal;
      const answer = { refusal: { code, message, retryAfterMs, details } };
      await commitAnswer(deps, { call, storing, acting: run.acting, change, answer });
      throw refusal;
    },
  };
}

function reading({ pool }: RunDeps, run: Run): Pick<CoreContext, "read" | "checkInbox"> {
  const key = inboxKey(run.call);
  return {
    async read(read) {
      if (run.inboxAsked) return readOnly(pool, read);
      const answer = await readWithInbox(pool, key, read);
      if ("kept" in answer) throw new AlreadyAnswered(answer.kept);
      run.inboxAsked = true;
      return answer.row;
    },
    async checkInbox() {
      if (run.inboxAsked) return;
      const row = await findAnswer(pool, key);
      if (row !== null) throw new AlreadyAnswered(row);
      run.inboxAsked = true;
    },
  };
}

const makers: { [C in Capability]: (deps: RunDeps, run: Run) => Capabilities[C] } = {
  passwords({ lanes, passwords, policy }, { call: { deadline, permit } }) {
    return {
      policy,
      hash: (password) => lanes.hash.run(deadline, () => passwords.hash(password), { permit }),
      verify: (password, stored) =>
        lanes.hash.run(deadline, () => passwords.verify(password, stored), {
          kind: passwords.costClass(stored),
          permit,
        }),
    };
  },
  attempts: (_deps, run) => ({
    async reserve(attempt, read) {
      const { attempts } = run.storing;
      if (attempts === undefined)
        throw new Error(`${run.call.topic} counts attempts, so its handler must say storesAnswer: true`);
      const reserved = await attempts.reserve(attempt, read);
      run.inboxAsked = true;
      return reserved;
    },
  }),
  uses: (_deps, run) => ({
    async count(using, read) {
      const counted = await usesOf(run).count(using, read);
      run.inboxAsked = true;
      return counted;
    },
    countAlone: async (using) => usesOf(run).countAlone(using),
  }),
  mails: (deps) => ({ count: (kind, email) => mailCount(deps, kind, normalize(email)) }),
  sessions: (deps, { call }) => ({
    issueAccess: (subject) => deps.tokens.issueAccess(subject),
    refreshKey: (id) => (id === undefined ? deps.dataKeys().current("refresh") : deps.dataKeys().get("refresh", id)),
    deviceToken: (given) => deviceToken(deps, call, given),
    rememberDevice: (user, client) => rememberedDevice(deps, user, client),
  }),
  mfa: ({ dataKeys }) => ({ cipher: () => dataKeys().cipher("mfa") }),
  passkeys: (deps) => ({ handleKey: () => oldestKey(deps, "passkey") }),
  operators: ({ dataKeys }) => ({ cipher: () => dataKeys().cipher("operator") }),
  quarantinedLogins: ({ dataKeys, settings: { loginQuarantineMs: forMs } }) => ({
    hash: (loginKey) => loginHash(dataKeys(), loginKey),
    keep({ login, confirmed }) {
      if (!confirmed || forMs === 0) return [];
      return [quarantineLogin(loginHash(dataKeys(), normalize(login)), { userId: null, forMs })];
    },
  }),
  personalData: ({ dataKeys }) => ({
    reader(userId, encryptedUserKey) {
      const keys = dataKeys();
      const userKey = decryptUserKey(keys, userId, encryptedUserKey);
      return (row) => decryptPersonal(keys, userKey, row);
    },
  }),
  denials: (deps, { call }) => ({
    mayWriteRow: (actor) => deps.denials.mayWriteRow(actor),
    async commitAuditOnly(change, code) {
      await commitWithoutReply(deps, change, { outcome: code, traceparent: call.headers.traceparent });
      deps.committed();
    },
  }),
  keys: ({ keyring }) => ({ jwks: () => jwksText(keyring()) }),
  metrics: ({ confirmed }) => ({ countConfirmed: confirmed }),
};

function usesOf({ storing, call }: Run) {
  if (storing.uses === undefined) throw new Error(`${call.topic} serves no client`);
  return storing.uses;
}

function deviceToken(
  { clock, devices }: RunDeps,
  call: Call,
  { recordKey, epoch }: { recordKey: string; epoch: number },
): string {
  const now = clock.now();
  const given = call.headers.device;
  const known = given === undefined ? undefined : devices.verify(given, { recordKey, at: now });
  return devices.issue({ recordKey, epoch, now, id: known?.epoch === epoch ? known.id : undefined });
}

function oldestKey({ dataKeys }: RunDeps, purpose: DataKeyPurpose): Buffer {
  const oldest = dataKeys().all(purpose).at(-1);
  if (oldest === undefined) throw new Error(`there is no data key for ${purpose}: run migrate`);
  return oldest.key;
}

const jwksTexts = new WeakMap<Keyring, string>();

/** Cached per keyring: a keyring never changes, and every requester asks for this text. */
function jwksText(keyring: Keyring): string {
  const known = jwksTexts.get(keyring);
  if (known !== undefined) return known;
  const text = JSON.stringify(keyring.jwks());
  jwksTexts.set(keyring, text);
  return text;
}
