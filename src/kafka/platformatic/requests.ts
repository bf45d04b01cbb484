// Sends one kind of request to one broker, over the library's connections.
import {
  type API,
  type Base,
  type Broker,
  type Connection,
  type ConnectionPool,
  kGetApi,
  kGetConnection,
  type Reader,
} from "@platformatic/kafka";
import { type RawFetchAnswer, readFetchAnswer } from "../fetch-response.ts";

export interface OpenedRequest<Request extends unknown[], Answer> {
  version: number;
  /** An answer with errors comes with the first of them. */
  ask(...request: Request): Promise<{ answer?: Answer; fault?: unknown }>;
}

interface Opening {
  /** Default: the client's own connections. */
  pool?: ConnectionPool;
  /** Replaces the connection for sending the request. */
  wrap?(connection: Connection): Connection;
}

/** Uses the newest version of the request that both sides support. */
export async function openRequest<Request extends unknown[], Answer>(
  { client, name, broker }: { client: Base; name: string; broker: Broker },
  { pool, wrap = (connection) => connection }: Opening = {},
): Promise<OpenedRequest<Request, Answer>> {
  const [api, connection] = await Promise.all([
    promised<API<Request, Answer>>((done) => client[kGetApi]<Request, Answer>(name, done)),
    promised<Connection>((done) => (pool ? pool.get(broker, done) : client[kGetConnection](broker, done))),
  ]);
  return {
    version: api.version,
    ask: (...request) =>
      promised<Answer>((done) => api(wrap(connection), ...request, done)).then(
        (answer) => ({ answer }),
        (fault: { response?: Answer }) => ({ fault, ...(fault.response && { answer: fault.response }) }),
      ),
  };
}

type Send = Connection["send"];

/** The library's own decoder unpacks every batch of an answer at once, without a bound. */
export function withRawAnswers(connection: Connection): Connection {
  const read = (
    _correlationId: number,
    _apiKey: number,
    version: number,
    { buffer, position }: Reader,
  ): RawFetchAnswer => readFetchAnswer(version, buffer.slice(position));
  const send = (...[key, version, payload, , ...rest]: Parameters<Send>): void =>
    connection.send(key, version, payload, read as never, ...rest);
  return { send } as unknown as Connection;
}

type Done<T> = (error: Error | null, result?: T) => void;

function promised<T>(run: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, result) => (error ? reject(error) : resolve(result as T)));
  });
}
