// Fetch sessions for kafkajs 2.2.4 (fetch-session.ts), in two halves (split-fetch.ts): it names every partition that it
// holds in every fetch. Each broker of each consumer keeps its own; kafkajs goes on asking for all it holds, and is
// handed what either half brings. Pinned to kafkajs's version, as patches.ts is; brokers that know no sessions (Fetch
// below version 7) are asked as before.
import { createRequire } from "node:module";
import type { FetchAnswer, FetchTopic, SessionRequest } from "../fetch-session.ts";
import { type HalfName, makeSplitFetch, type SplitFetch } from "../split-fetch.ts";

type Topic = FetchTopic<string>;

interface Answer extends FetchAnswer {
  responses: { topicName: string; partitions: { partition: number; messages: unknown[] }[] }[];
}

interface FetchOptions {
  topics: Topic[];
  /** ms */
  maxWaitTime: number;
}

interface ProtocolRequest {
  request: { apiVersion: number };
}

interface Connection {
  send(request: ProtocolRequest): Promise<Answer>;
}

interface Broker {
  connectionPool: { getConnection(index: number): Promise<Connection> };
  lookupRequest(
    apiKey: number,
    versions: unknown,
  ): (options: FetchOptions & Partial<SessionRequest<string>>) => ProtocolRequest;
  disconnect(): Promise<void>;
  fetch(options: FetchOptions): Promise<Answer>;
}

/** kafkajs has two connections to a broker: this one is for fetches. */
const connectionOf: Record<HalfName, number> = { active: 1, quiet: 2 };
const fetchKey = 1;
const firstWithSessions = 7;
let kept = false;

/** From now on every consumer of kafkajs in this process fetches in sessions. */
export function keepFetchSessions(): void {
  if (kept) return;
  kept = true;
  const require = createRequire(import.meta.url);
  const { prototype } = require("kafkajs/src/broker") as { prototype: Broker };
  const { requests } = require("kafkajs/src/protocol/requests") as { requests: { Fetch: unknown } };
  makeConnections(require);
  const withoutSession = prototype.fetch;
  const conversations = new WeakMap<Broker, { ask: Conversation; isBusy: boolean }>();

  prototype.fetch = async function (this: Broker, options: FetchOptions): Promise<Answer> {
    const make = this.lookupRequest(fetchKey, requests.Fetch);
    const own = conversations.get(this) ?? { ask: converse(this, make), isBusy: false };
    conversations.set(this, own);
    // A consumer asks a broker for one thing at a time; should two ever ask, only one of them can be in step.
    if (own.isBusy || make(options).request.apiVersion < firstWithSessions) return withoutSession.call(this, options);
    own.isBusy = true;
    try {
      return await own.ask(options);
    } finally {
      own.isBusy = false;
    }
  };
}

type Conversation = (options: FetchOptions) => Promise<Answer>;

function converse(broker: Broker, make: ReturnType<Broker["lookupRequest"]>): Conversation {
  let given: FetchOptions | undefined;
  const split: SplitFetch<string, Answer> = makeSplitFetch(async (half, request, maxWaitTime) => {
    const connection = await broker.connectionPool.getConnection(connectionOf[half]);
    return connection.send(make({ ...given!, ...request, maxWaitTime }));
  });
  return async (options) => {
    given = options;
    try {
      const fetched = await split.next(options.topics, options.maxWaitTime);
      if (fetched === undefined) return { errorCode: 0, sessionId: 0, responses: [] };
      const { answer, askedFrom } = fetched;
      const responses = answer.responses.map(({ topicName, partitions }) => {
        const wanted = options.topics.find(({ topic }) => topic === topicName);
        const some = partitions.filter(({ partition }) => {
          const want = wanted?.partitions.find((each) => each.partition === partition);
          return want !== undefined && want.fetchOffset === askedFrom(topicName, partition);
        });
        for (const { partition, messages } of some) if (messages.length > 0) split.brought(topicName, partition);
        return { topicName, partitions: some };
      });
      return { ...answer, responses };
    } catch (error) {
      if ((error as { name?: unknown }).name === "KafkaJSConnectionClosedError") await broker.disconnect(); // as kafkajs does
      throw error;
    }
  };
}

interface PooledConnection {
  host: string;
  requestQueue: object;
  versions: unknown;
  setVersions(versions: unknown): void;
  getSupportAuthenticationProtocol(): unknown;
  setSupportAuthenticationProtocol(supported: unknown): void;
}

interface Pool {
  logger: object;
  pool: PooledConnection[];
  getConnection(index?: number): Promise<unknown>;
}

/** A pool of kafkajs has two connections; from now on one more is made when it is asked for, like the others. */
function makeConnections(require: NodeJS.Require): void {
  const { prototype } = require("kafkajs/src/network/connectionPool") as { prototype: Pool };
  const Connection = require("kafkajs/src/network/connection") as new (options: object) => PooledConnection;
  const getConnection = prototype.getConnection;
  prototype.getConnection = function (this: Pool, index = 0): Promise<unknown> {
    const [first] = this.pool;
    if (first !== undefined && index === this.pool.length) {
      const { maxInFlightRequests, enforceRequestTimeout, instrumentationEmitter } = first.requestQueue as Record<
        string,
        unknown
      >;
      const queue = { maxInFlightRequests, enforceRequestTimeout, instrumentationEmitter };
      const another = new Connection({ ...first, ...queue, logger: this.logger });
      another.setVersions(first.versions);
      another.setSupportAuthenticationProtocol(first.getSupportAuthenticationProtocol());
      this.pool.push(another);
    }
    return getConnection.call(this, index);
  };
}
