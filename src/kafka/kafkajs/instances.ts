// A client of kafkajs 2.2.4 with changes to its internal objects: connection pools, connections and brokers, each
// changed when it is created. The library itself, including its classes, stays unchanged, because a service may share
// the installed kafkajs with us. Pinned to kafkajs's version, because these objects are private to it. The changes are
// in patches.ts, fetch-sessions.ts and fetch.ts.
import type { Socket } from "node:net";
import type { Kafka, KafkaConfig } from "kafkajs";
import driver from "kafkajs";

export interface RequestQueue {
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  pending: unknown[];
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

export interface ProtocolRequest {
  request: { apiKey: number; apiVersion: number };
  response: { decode(bytes: Buffer): Promise<unknown>; parse(answer: unknown): Promise<unknown> };
}

export interface Connection {
  socket: Socket | null | undefined;
  requestQueue: RequestQueue;
  send(request: ProtocolRequest): Promise<unknown>;
  disconnect(): Promise<boolean>;
}

export interface ConnectionPool {
  logger: object;
  pool: Connection[];
  getConnection(index?: number): Promise<Connection>;
}

export interface Broker {
  versions: object | null;
  connectionPool: ConnectionPool;
  isConnected(): boolean;
  disconnect(): Promise<void>;
}

/** Called with each object before its first use. */
export interface Changes {
  connection?(made: Connection): void;
  /** @param adopt applies all changes to a connection that is added to the pool */
  pool?(made: ConnectionPool, adopt: (added: Connection) => void): void;
  broker?(made: Broker): void;
}

interface BrokerPool {
  connectionPoolBuilder: { build(destination?: object): Promise<ConnectionPool> };
  createBroker(options: object): Broker;
}

type CreateCluster = (options: object) => { brokerPool: BrokerPool };

/** @throws Error for another version of kafkajs */
export function openClient(config: KafkaConfig, changes: readonly Changes[]): Kafka {
  const kafka = new driver.Kafka(config);
  const members = kafka as unknown as Record<symbol, CreateCluster>;
  const name = Object.getOwnPropertySymbols(kafka).find(({ description }) => /:createCluster$/.test(description ?? ""));
  if (name === undefined) throw new Error("this kafkajs makes its clusters in another way: kafkajs 2.2.4 is needed");
  const createCluster = members[name]!;
  members[name] = (options) => {
    const cluster = createCluster(options);
    changeInstances(cluster.brokerPool, changes);
    return cluster;
  };
  return kafka;
}

function changeInstances(brokerPool: BrokerPool, changes: readonly Changes[]): void {
  const adopt = (connection: Connection): void => {
    for (const change of changes) change.connection?.(connection);
  };
  const builder = brokerPool.connectionPoolBuilder;
  const build = builder.build.bind(builder);
  builder.build = async (destination) => {
    const made = await build(destination);
    made.pool.forEach(adopt);
    for (const change of changes) change.pool?.(made, adopt);
    return made;
  };
  const createBroker = brokerPool.createBroker.bind(brokerPool);
  brokerPool.createBroker = (options) => {
    const made = createBroker(options);
    for (const change of changes) change.broker?.(made);
    return made;
  };
}
