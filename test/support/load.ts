// Load on a fleet: users who log in, refresh and register one after the other, all side by side, at a bounded rate.
// Every request is noted with its key, its time and its outcome, so that an audit (audit.ts) can compare what was
// answered with what was done. Nothing is asked twice here and no failure is hidden: a refusal is noted like an answer.
import { randomBytes } from "node:crypto";
import type { Topic } from "../../src/client/types.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import type { Commands } from "../../src/protocol/generated/schemas.ts";
import type { TestFleet } from "./test-fleet.ts";
import { until } from "./until.ts";
import { type Confirmed, confirmed, newUser } from "./users.ts";

/** One request and what became of it. */
export interface SentRequest {
  topic: Topic;
  input: object;
  idempotencyKey: string;
  /** Who asked: a login. */
  by: string;
  sentAt: number;
  /** ms until the outcome. */
  took: number;
  answer: Record<string, unknown> | undefined;
  /** A code, or the words of whatever else was thrown. */
  refusal: string | undefined;
}

export interface Load {
  /** Those that have their outcome. */
  readonly sent: SentRequest[];
  /** Waits until each user has been answered so often again, counted in requests that begin after this call. */
  awaitProgress(times: number): Promise<void>;
  /** Begins nothing more and waits for what is under way. */
  stop(): Promise<SentRequest[]>;
}

export interface LoadRules {
  perSecond: number;
  /** Far more than a recovery takes: whoever had this long must be answered. */
  timeoutMs: number;
}

const refreshesPerLogin = 3;

export function newUsers(fleet: TestFleet, count: number): Promise<Confirmed[]> {
  return Promise.all(Array.from({ length: count }, () => confirmed(fleet)));
}

export interface Ask<T extends Topic> {
  by: string;
  topic: T;
  input: Commands[T]["input"];
  timeoutMs: number;
  signal?: AbortSignal;
}

/** One request, and what became of it. Never rejects. */
export async function sendRequest<T extends Topic>(
  fleet: Pick<TestFleet, "client">,
  { by, topic, input, timeoutMs, signal }: Ask<T>,
): Promise<SentRequest> {
  const idempotencyKey = randomBytes(16).toString("base64url");
  const sentAt = performance.now();
  const options = { idempotencyKey, timeoutMs, ...(signal && { signal }) };
  const outcome = await fleet.client.request(topic, input, options).then(
    (answer) => ({ answer, refusal: undefined }),
    (error: unknown) => ({ answer: undefined, refusal: error instanceof Refusal ? error.code : String(error) }),
  );
  const took = performance.now() - sentAt;
  return { topic, input, idempotencyKey, by, sentAt, took, ...outcome } as SentRequest;
}

export function startLoad(fleet: TestFleet, users: Confirmed[], rules: LoadRules): Load {
  const sent: SentRequest[] = [];
  const underWay = new Map<string, { topic: string; sentAt: number }>();
  const pause = (1000 * users.length) / rules.perSecond;
  let stopped = false;

  const ask = async <T extends Topic>(by: string, topic: T, input: Commands[T]["input"]) => {
    underWay.set(by, { topic, sentAt: performance.now() });
    const request = await sendRequest(fleet, { by, topic, input, timeoutMs: rules.timeoutMs });
    underWay.delete(by);
    sent.push(request);
    if (request.took < pause) await new Promise((resolve) => setTimeout(resolve, pause - request.took));
    return request.answer as Commands[T]["result"] | undefined;
  };

  const live = async ({ login, password }: Confirmed): Promise<void> => {
    while (!stopped) {
      const opened = await ask(login, "auth.session.login", { login, password, rotating: true });
      let refreshToken = opened?.tokens?.refreshToken;
      for (let n = 0; n < refreshesPerLogin && refreshToken !== undefined && !stopped; n += 1) {
        refreshToken = (await ask(login, "auth.session.refresh", { refreshToken }))?.refreshToken;
      }
      if (!stopped) await ask(login, "auth.account.register", newUser());
    }
  };

  /** Who waits for what, longest first. */
  const waiting = (): string =>
    [...underWay]
      .map(([login, { topic, sentAt }]) => ({ login, topic, ms: Math.round(performance.now() - sentAt) }))
      .sort((a, b) => b.ms - a.ms)
      .map(({ login, topic, ms }) => `${login} has waited ${ms} ms for ${topic}.`)
      .join(" ");

  const lives = users.map(live);
  return {
    sent,
    async awaitProgress(times) {
      const from = performance.now();
      const answered = ({ login }: Confirmed) =>
        sent.filter((request) => request.by === login && request.sentAt > from && request.answer !== undefined).length;
      await until(
        "everybody is answered again",
        () => users.every((user) => answered(user) >= times),
        rules.timeoutMs + 5000,
      ).catch((error: unknown) => {
        throw new Error(`Not all were answered. ${waiting()} ${failures(sent).join(", ")}`, { cause: error });
      });
    },
    async stop() {
      stopped = true;
      await Promise.all(lives);
      return sent;
    },
  };
}

export const failures = (sent: SentRequest[]): string[] =>
  sent
    .filter((request) => request.refusal !== undefined)
    .map(({ topic, refusal, took }) => `${topic}: ${refusal} after ${Math.round(took)} ms`);

/** The longest that a request took which began or ended after this moment, ms. */
export const longest = (sent: SentRequest[], since: number): number =>
  Math.round(Math.max(0, ...sent.filter(({ sentAt, took }) => sentAt + took > since).map(({ took }) => took)));

/** How long faults go on: 0, once, in `npm test`; `npm run test:crash` gives more. */
export function crashSeconds(): number {
  return Number(process.env["AUTH_TEST_CRASH_SECONDS"] ?? 0);
}
