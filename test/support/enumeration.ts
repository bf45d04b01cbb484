// What somebody can ask who wants to know whether a login or an e-mail address has an account. Each row asks once about one that has and once
// about one that has not: words, code and cost must be the same. A new command that takes a login or an address is one row more.
//
// Measured at the handlers (support/handlers.ts), with the real statements: two hops through Kafka would only add noise. What may mail somebody
// is answered after a set time (bus/least-time.ts), which is measured too. A difference of 0.09
// of 0.95 ms decides 68 to 74 of 100 pairs here, beside a load of 15 to 20 on two cores, and the one that resend once had, 0.45 of 1.0 ms,
// 84. Hashes are cheap where the same one is made for both, since its 10 ms would hide what is beside it; one row has the real one.
import { randomBytes } from "node:crypto";
import { sql } from "slonik";
import { Refusal } from "../../src/errors.ts";
import { mailedInMs } from "../../src/handlers/mails.ts";
import { account, type HandlerHouse, handlerHouse } from "./handlers.ts";
import { type Comparison, compare } from "./timing.ts";

/** Asks, and tells everything that the one who asked is told. */
type Ask = (n: number) => Promise<unknown>;

export interface Question {
  what: string;
  /** With a real hash, which costs 10 ms: fewer pairs. */
  hashed?: true;
  /** Answered no sooner than after so many ms: fewer pairs, too. */
  leastMs?: number;
  /** Asks at the handlers: without `leastMs`. */
  prepare(house: HandlerHouse): Promise<{ somebody: Ask; nobody: Ask }>;
}

const unused = (): string => `n${randomBytes(6).toString("hex")}`;
const unusedAddress = (): string => `${unused()}@example.com`;
const people = 20;

const all = <T>(make: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: people }, make));

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
  ({ ask }: HandlerHouse, logins: readonly string[]): Ask =>
  (n) =>
    told(ask("auth.session.login", { login: logins[n % people]!, password: "not the right password" }));

/** Without the secret, which is another one each time. */
const register = async ({ ask }: HandlerHouse, email: string) => {
  const login = unused();
  const made = { login, username: login, email, password: "good enough for this" };
  const { registrationSecret, ...told } = await ask("auth.account.register", made);
  return { ...told, secretLength: registrationSecret.length };
};

async function loginQuestion(house: HandlerHouse): Promise<{ logins: [string[], string[]] }> {
  const known = await all(() => account(house));
  return { logins: [known.map(({ login }) => login), known.map(unused)] };
}

export const questions: Question[] = [
  {
    what: "auth.session.login: a wrong password",
    hashed: true,
    async prepare(house) {
      const { logins } = await loginQuestion(house);
      return { somebody: loggingIn(house, logins[0]), nobody: loggingIn(house, logins[1]) };
    },
  },
  {
    what: "auth.session.login: an e-mail address and a wrong password",
    hashed: true,
    async prepare(house) {
      const known = await all(() => account(house));
      const addresses = known.map(({ email }) => email);
      return { somebody: loggingIn(house, addresses), nobody: loggingIn(house, addresses.map(unusedAddress)) };
    },
  },
  {
    what: "auth.session.login: one guess too many",
    async prepare(house) {
      const { logins } = await loginQuestion(house);
      const [somebody, nobody] = [loggingIn(house, logins[0]), loggingIn(house, logins[1])];
      for (let n = 0; n < people; n += 1) await Promise.all([somebody(n), nobody(n)]);
      await house.pool.query(sql.unsafe`
        UPDATE login_attempts SET attempts = array_fill((attempts[1].place, attempts[1].kind, ''::bytea, now())::attempt, ARRAY[100])`);
      return { somebody, nobody };
    },
  },
  {
    what: "auth.account.register: an address that is taken (AUTH_HIDE_EMAIL)",
    async prepare(house) {
      const known = await all(() => account(house));
      return {
        somebody: (n) => told(register(house, known[n % people]!.email)),
        nobody: () => told(register(house, unusedAddress())),
      };
    },
  },
  {
    what: "auth.account.register: an address that others wait with (AUTH_HIDE_EMAIL)",
    async prepare(house) {
      const waiting = Array.from({ length: people }, unusedAddress);
      for (const email of waiting) await register(house, email);
      return {
        somebody: (n) => told(register(house, waiting[n % people]!)),
        nobody: () => told(register(house, unusedAddress())),
      };
    },
  },
  {
    what: "auth.account.resend: an address that waits for its confirmation",
    leastMs: mailedInMs,
    async prepare(house) {
      const waiting = Array.from({ length: people }, unusedAddress);
      for (const email of waiting) await register(house, email);
      return {
        somebody: (n) => told(house.ask("auth.account.resend", { email: waiting[n % people]! })),
        nobody: () => told(house.ask("auth.account.resend", { email: unusedAddress() })),
      };
    },
  },
  {
    what: "auth.account.resend: an address that is confirmed",
    leastMs: mailedInMs,
    async prepare(house) {
      const known = await all(() => account(house));
      return {
        somebody: (n) => told(house.ask("auth.account.resend", { email: known[n % people]!.email })),
        nobody: () => told(house.ask("auth.account.resend", { email: unusedAddress() })),
      };
    },
  },
  {
    what: "auth.password.forgot: an address that has an account",
    leastMs: mailedInMs,
    async prepare(house) {
      const known = await all(() => account(house));
      return {
        somebody: (n) => told(house.ask("auth.password.forgot", { email: known[n % people]!.email })),
        nobody: () => told(house.ask("auth.password.forgot", { email: unusedAddress() })),
      };
    },
  },
];

/** A house for one question: its own, so that no table is larger for one than for the other. */
export function houseFor({ hashed }: Pick<Question, "hashed">): Promise<HandlerHouse> {
  return handlerHouse({
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
  return between(question, pairs, (house) => ({ ...house, ask: house.askInTime }));
}

/** The handlers' own time. */
export function askHandlers(question: Question, pairs: number): Promise<Answered> {
  return between(question, pairs, (house) => house);
}

async function between(
  question: Question,
  pairs: number,
  as: (house: HandlerHouse) => HandlerHouse,
): Promise<Answered> {
  const house = await houseFor(question);
  try {
    const { somebody, nobody } = await question.prepare(as(house));
    for (let n = 0; n < warmUp; n += 1) await Promise.all([somebody(n), nobody(n)]);
    const comparison = await compare(pairs, somebody, nobody);
    return { somebody: await somebody(0), nobody: await nobody(0), comparison };
  } finally {
    await house.close();
  }
}
