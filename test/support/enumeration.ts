// What somebody can ask who wants to know whether a login or an e-mail address has an account. Each row asks once about
// one that has and once about one that has not: words, code and cost must be the same. A new command that takes a login
// or an address is one row more; one that strangers may call and that takes neither says in its scenario why it tells
// nothing.
//
// Measured at the handlers (support/handlers.ts), with the real statements: two hops through Kafka would only add
// noise. What may mail somebody is answered after a set time (bus/min-response.ts), which is measured too. A difference
// of 0.09 of 0.95 ms decides 68 to 74 of 100 pairs here, beside a load of 15 to 20 on two cores, and the one that
// resend once had, 0.45 of 1.0 ms,
// 84. Hashes are cheap where the same one is made for both, since its 10 ms would hide what is beside it; one row has
//     the real one.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { sql } from "slonik";
import { mailedInMs } from "../../src/accounts/mails.ts";
import { minPasskeyLoginMs } from "../../src/accounts/passkeys.ts";
import { commitOnce } from "../../src/db/commit.ts";
import { readWithInbox } from "../../src/db/inbox.ts";
import { waitingAt } from "../../src/db/waiting.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import { makeAuthenticator } from "./authenticator.ts";
import { account, type HandlerHarness, handlerHarness } from "./handlers.ts";
import { type Comparison, compare } from "./timing.ts";

/** Asks, and tells everything that the one who asked is told. */
type Ask = (n: number) => Promise<unknown>;

export interface Question {
  what: string;
  /** With a real hash, which costs 10 ms: fewer pairs. */
  hashed?: true;
  /** Answered no sooner than after so many ms: fewer pairs, too. */
  minResponseMs?: number;
  /** Asks at the handlers: without `minResponseMs`. */
  prepare(harness: HandlerHarness): Promise<Asks>;
}

interface Asks {
  somebody: Ask;
  nobody: Ask;
  /** What would be done for nobody if nothing were done to hide it; default: `readAndKeep`. */
  naive?: Ask;
}

const unused = (): string => `n${randomBytes(6).toString("hex")}`;
const unusedAddress = (): string => `${unused()}@example.com`;
const users = 20;

const all = <T>(make: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: users }, make));

/** What is told, with whatever differs from one request to the next left out. */
async function told(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, details } = error;
    return { code, message, details };
  }
}

const loggingIn =
  ({ ask }: HandlerHarness, logins: readonly string[]): Ask =>
  (n) =>
    told(ask("auth.session.login", { login: logins[n % logins.length]!, password: "not the right password" }));

/** Without the secret, which is another one each time. */
const register = async ({ ask }: HandlerHarness, email: string) => {
  const login = unused();
  const made = { login, username: login, email, password: "good enough for this" };
  const { registrationSecret, ...told } = await ask("auth.account.register", made);
  return { ...told, secretLength: registrationSecret.length };
};

async function withPasskey(harness: HandlerHarness): Promise<{ login: string; email: string }> {
  const { login, password, email } = await account(harness);
  const { tokens } = await harness.ask("auth.session.login", { login, password });
  const { accessToken } = tokens!;
  const { options, challenge } = await harness.ask("auth.passkey.begin-registration", { accessToken });
  const response = makeAuthenticator().create(options);
  await harness.ask("auth.passkey.finish-registration", { accessToken, challenge, response });
  return { login, email };
}

/**
 * What a device would answer that has a passkey of the id that is asked for, and another key: right in everything but
 * the signature.
 */
function forgedAnswer(options: string, userHandle: string): string {
  const { rpId, allowCredentials } = JSON.parse(options) as { rpId: string; allowCredentials: [{ id: string }] };
  const device = makeAuthenticator();
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  device.credentials.push({ id: allowCredentials[0].id, rpId, userHandle, privateKey, count: 0 });
  return device.get(options);
}

/**
 * Begins a login with a passkey. Left out is what differs each time, and what docs/security.md says can be told: which
 * ids, and how many.
 */
const begun = async ({ ask }: HandlerHarness, login: string) => {
  const { options, challenge } = await ask("auth.passkey.begin-login", { login, challenge: "" });
  const { challenge: _, allowCredentials, ...rest } = JSON.parse(options) as Record<string, unknown>;
  const kinds = (allowCredentials as { type: string }[]).map(({ type }) => type);
  return { ...rest, kinds: [...new Set(kinds)], challengeLength: challenge.length };
};

async function loginQuestion(harness: HandlerHarness): Promise<{ logins: [string[], string[]] }> {
  const known = await all(() => account(harness));
  return { logins: [known.map(({ login }) => login), known.map(unused)] };
}

export const questions: Question[] = [
  {
    what: "auth.session.login: a wrong password",
    hashed: true,
    async prepare(harness) {
      const { logins } = await loginQuestion(harness);
      return { somebody: loggingIn(harness, logins[0]), nobody: loggingIn(harness, logins[1]) };
    },
  },
  {
    what: "auth.session.login: an e-mail address and a wrong password",
    hashed: true,
    async prepare(harness) {
      const known = await all(() => account(harness));
      const addresses = known.map(({ email }) => email);
      return { somebody: loggingIn(harness, addresses), nobody: loggingIn(harness, addresses.map(unusedAddress)) };
    },
  },
  {
    what: "auth.session.login: one guess too many",
    async prepare(harness) {
      const { logins } = await loginQuestion(harness);
      const [somebody, nobody] = [loggingIn(harness, logins[0]), loggingIn(harness, logins[1])];
      for (let n = 0; n < users; n += 1) await Promise.all([somebody(n), nobody(n)]);
      await harness.pool.query(sql.unsafe`
        UPDATE login_attempts SET attempts = array_fill((attempts[1].source, attempts[1].kind, ''::bytea, now())::attempt, ARRAY[100])`);
      return { somebody, nobody, naive: () => loggingIn(harness, [unused()])(0) };
    },
  },
  {
    what: "auth.account.register: an address that is taken (AUTH_HIDE_EMAIL)",
    hashed: true,
    async prepare(harness) {
      const known = await all(() => account(harness));
      return {
        somebody: (n) => told(register(harness, known[n % users]!.email)),
        nobody: () => told(register(harness, unusedAddress())),
      };
    },
  },
  {
    what: "auth.account.register: an address that others wait with (AUTH_HIDE_EMAIL)",
    hashed: true,
    async prepare(harness) {
      const waiting = Array.from({ length: users }, unusedAddress);
      for (const email of waiting) await register(harness, email);
      return {
        somebody: (n) => told(register(harness, waiting[n % users]!)),
        nobody: () => told(register(harness, unusedAddress())),
      };
    },
  },
  {
    what: "auth.account.resend: an address that waits for its confirmation",
    minResponseMs: mailedInMs,
    async prepare(harness) {
      const waiting = Array.from({ length: users }, unusedAddress);
      for (const email of waiting) await register(harness, email);
      return {
        somebody: (n) => told(harness.ask("auth.account.resend", { email: waiting[n % users]! })),
        nobody: () => told(harness.ask("auth.account.resend", { email: unusedAddress() })),
      };
    },
  },
  {
    what: "auth.account.resend: an address that is confirmed",
    minResponseMs: mailedInMs,
    async prepare(harness) {
      const known = await all(() => account(harness));
      return {
        somebody: (n) => told(harness.ask("auth.account.resend", { email: known[n % users]!.email })),
        nobody: () => told(harness.ask("auth.account.resend", { email: unusedAddress() })),
      };
    },
  },
  {
    what: "auth.password.forgot: an address that has an account",
    minResponseMs: mailedInMs,
    async prepare(harness) {
      const known = await all(() => account(harness));
      return {
        somebody: (n) => told(harness.ask("auth.password.forgot", { email: known[n % users]!.email })),
        nobody: () => told(harness.ask("auth.password.forgot", { email: unusedAddress() })),
      };
    },
  },
  {
    what: "auth.passkey.begin-login: a login that has a passkey",
    minResponseMs: minPasskeyLoginMs,
    async prepare(harness) {
      const known = await all(() => withPasskey(harness));
      return {
        somebody: (n) => told(begun(harness, known[n % users]!.login)),
        nobody: () => told(begun(harness, unused())),
        naive: read(harness),
      };
    },
  },
  {
    what: "auth.passkey.begin-login: a login that has none",
    minResponseMs: minPasskeyLoginMs,
    async prepare(harness) {
      const known = await all(() => account(harness));
      return {
        somebody: (n) => told(begun(harness, known[n % users]!.login)),
        nobody: () => told(begun(harness, unused())),
        naive: read(harness),
      };
    },
  },
  {
    what: "auth.passkey.begin-login: the e-mail address of an account that has a passkey",
    minResponseMs: minPasskeyLoginMs,
    async prepare(harness) {
      const known = await all(() => withPasskey(harness));
      return {
        somebody: (n) => told(begun(harness, known[n % users]!.email)),
        nobody: () => told(begun(harness, unusedAddress())),
        naive: read(harness),
      };
    },
  },
  {
    what: "auth.passkey.finish-login: an answer by a stranger's device to what begin-login gave",
    minResponseMs: minPasskeyLoginMs,
    async prepare(harness) {
      const known = await all(() => withPasskey(harness));
      const begin = async (login: string) => {
        const { options, challenge } = await harness.ask("auth.passkey.begin-login", { login, challenge: "" });
        return { challenge, answer: (userHandle: string) => forgedAnswer(options, userHandle) };
      };
      const somebodys = await Promise.all(known.map(({ login }) => begin(login)));
      const nobodys = await Promise.all(known.map(() => begin(unused())));
      await harness.pool.query(sql.unsafe`UPDATE challenges SET attempts = -10000`); // one takes five answers
      const answering = (begun: typeof somebodys, userHandle = ""): Ask => {
        const answers = begun.map(({ challenge, answer }) => ({ challenge, response: answer(userHandle) }));
        return (n) => told(harness.ask("auth.passkey.finish-login", answers[n % users]!));
      };
      // An answer in another user's name is refused before its signature is looked at.
      return { somebody: answering(somebodys), nobody: answering(nobodys), naive: answering(nobodys, "AAAA") };
    },
  },
];

/** A harness for one question: its own, so that no table is larger for one than for the other. */
export function harnessFor({ hashed }: Pick<Question, "hashed">): Promise<HandlerHarness> {
  return handlerHarness({
    poolSize: 4,
    cheapHashes: hashed !== true,
    env: {
      AUTH_HIDE_EMAIL: "true",
      AUTH_LEGACY_TOPICS: "false",
      AUTH_MAILS_PER_HOUR: "1000",
      AUTH_ATTEMPTS_FREE: "100",
      AUTH_ATTEMPTS_ACCOUNT_FREE: "100",
      AUTH_ATTEMPTS_DELAY: "15m",
      AUTH_ATTEMPTS_ACCOUNT_DELAY_MAX: "15m",
    },
  });
}

export interface Answered {
  somebody: unknown;
  nobody: unknown;
  comparison: Comparison;
}

const warmUp = 20;

/** As requesters ask: each answer comes when the bus gives it. */
export function askBoth(question: Question, pairs: number): Promise<Answered> {
  return between(question, pairs, (harness) => ({ ...harness, ask: harness.askInTime }));
}

/** The handlers' own time. */
export function askHandlers(question: Question, pairs: number): Promise<Answered> {
  return between(question, pairs, (harness) => harness);
}

/** The same where nothing hides that there is nobody: the two must be told apart. */
export function askNaively(question: Question, pairs: number): Promise<Answered> {
  return between(question, pairs, (harness) => harness, true);
}

async function between(
  question: Question,
  pairs: number,
  as: (harness: HandlerHarness) => HandlerHarness,
  naively = false,
): Promise<Answered> {
  const harness = await harnessFor(question);
  try {
    const { somebody, nobody: hidden, naive = readAndKeep(harness) } = await question.prepare(as(harness));
    const nobody = naively ? naive : hidden;
    for (let n = 0; n < warmUp; n += 1) await Promise.all([somebody(n), nobody(n)]);
    const comparison = await compare(pairs, somebody, nobody);
    return { somebody: await somebody(0), nobody: await nobody(0), comparison };
  } finally {
    await harness.close();
  }
}

/** Looks, finds nobody, and keeps the answer: what `ctx.commit({ events: [] }, {})` does. */
function readAndKeep({ pool }: HandlerHarness): Ask {
  return async () => {
    const key = { topic: "auth.account.resend", replyTopic: "auth.reply.test", idempotencyKey: randomBytes(16) };
    await readWithInbox(pool, key, waitingAt("nobody@example.com", { limiterKey: randomBytes(16), most: 3 }));
    const inbox = { ...key, fingerprint: randomBytes(32), reply: randomBytes(64), ttlMs: 86_400_000 };
    await commitOnce(pool, { inbox, lock: undefined, writes: [], outbox: [], audit: [] });
  };
}

/** Looks, finds nobody, and refuses: nothing is written. */
function read({ pool }: HandlerHarness): Ask {
  return async () => {
    const key = { topic: "auth.passkey.begin-login", replyTopic: "auth.reply.test", idempotencyKey: randomBytes(16) };
    await readWithInbox(pool, key, waitingAt("nobody@example.com", { limiterKey: randomBytes(16), most: 3 }));
  };
}
