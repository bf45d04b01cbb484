// Fetch sessions for kafkajs 2.2.4 (fetch-session.ts), in two halves (split-fetch.ts); without them it names every
// partition in every fetch. Each broker of each consumer has its own sessions; kafkajs still asks for all its
// partitions and gets what either half brings. Pinned to kafkajs's version, like instances.ts; brokers without sessions
// (Fetch below version 7) are asked as before.
import { createRequire } from "node:module";
import type { FetchAnswer, FetchTopic, SessionRequest } from "../fetch-session.ts";
import { type HalfName, SplitFetch } from "../split-fetch.ts";
import type { Changes, Connection, ConnectionPool, Broker as DriverBroker, ProtocolRequest } from "./instances.ts";

type Topic = FetchTopic<string>;

interface Answer extends FetchAnswer {
  responses: { topicName: string; partitions: { partition: number; messages: unknown[] }[] }[];
}

interface FetchOptions {
  topics: Topic[];
  /** ms */
  maxWaitTime: number;
}

interface Broker extends DriverBroker {
  lookupRequest(
    apiKey: number,
    versions: unknown,
  ): (options: FetchOptions & Partial<SessionRequest<string>>) => ProtocolRequest;
  fetch(options: FetchOptions): Promise<Answer>;
}

/** kafkajs has two connections to a broker: this one is for fetches. */
const connectionOf: Record<HalfName, number> = { active: 1, quiet: 2 };
const fetchKey = 1;
const firstWithSessions = 7;
const require = createRequire(import.meta.url);

/** A consumer that uses fetch sessions. */
export const fetchSessions: Changes = {
  pool: addConnections,
  broker: (made) => fetchInSessions(made as Broker),
};

function fetchInSessions(broker: Broker): void {
  const { requests } = require("kafkajs/src/protocol/requests") as { requests: { Fetch: unknown } };
  const make: ReturnType<Broker["lookupRequest"]> = (options) =>
    broker.lookupRequest(fetchKey, requests.Fetch)(options);
  const ask = converse(broker, make);
  const withoutSession = broker.fetch.bind(broker);
  let isBusy = false;
  broker.fetch = async (options) => {
    // A consumer sends a broker one fetch at a time; if two were ever sent, only one could use the session.
    if (isBusy || make(options).request.apiVersion < firstWithSessions) return withoutSession(options);
    isBusy = true;
    try {
      return await ask(options);
    } finally {
      isBusy = false;
    }
  };
}

type Conversation = (options: FetchOptions) => Promise<Answer>;

function converse(broker: Broker, make: ReturnType<Broker["lookupRequest"]>): Conversation {
  let given: FetchOptions | undefined;
  const split = new SplitFetch<string, Answer>(async (half, request, maxWaitTime) => {
    const connection = await broker.connectionPool.getConnection(connectionOf[half]);
    return (await connection.send(make({ ...given!, ...request, maxWaitTime }))) as Answer;
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

interface PooledConnection extends Connection {
  versions: unknown;
  setVersions(versions: unknown): void;
  getSupportAuthenticationProtocol(): unknown;
  setSupportAuthenticationProtocol(supported: unknown): void;
}

/** kafkajs's pools have two connections; this creates another one on demand. */
function addConnections(pool: ConnectionPool, adopt: (added: Connection) => void): void {
  const getConnection = pool.getConnection.bind(pool);
  pool.getConnection = (index = 0) => {
    const [first] = pool.pool as PooledConnection[];
    if (first !== undefined && index === pool.pool.length) {
      const another = likeThe(first, pool.logger);
      adopt(another);
      pool.pool.push(another);
    }
    return getConnection(index);
  };
}

function likeThe(first: PooledConnection, logger: object): PooledConnection {
  const Made = first.constructor as new (options: object) => PooledConnection;
  const { maxInFlightRequests, enforceRequestTimeout, instrumentationEmitter } =
    first.requestQueue as unknown as Record<string, unknown>;
  const another = new Made({ ...first, maxInFlightRequests, enforceRequestTimeout, instrumentationEmitter, logger });
  another.setVersions(first.versions);
  another.setSupportAuthenticationProtocol(first.getSupportAuthenticationProtocol());
  return another;
}
