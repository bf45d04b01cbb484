// The gateway as the tests play it: a gRPC client with the messages of the gateway's own definition,
// test/interop/gateway/auth.proto. Not with ours, which would find every mistake right that both sides make.
import { join } from "node:path";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { load, type PackageDefinition, type ServiceDefinition } from "@grpc/proto-loader";
import { protoPath as healthProto } from "grpc-health-check";
import { systemClock } from "../../src/lib/clock.ts";

/** The gateway's definition; its SHA-256 stands in test/interop/gateway.test.ts. */
export const gatewayProto = join(import.meta.dirname, "..", "interop", "gateway", "auth.proto");

export interface Answer {
  /** OK, INVALID_ARGUMENT … */
  status: string;
  reply: unknown;
  details: string;
  /** Trailing metadata `auth-error`. */
  code: string | undefined;
  /** Trailing metadata `auth-retry-after-ms`. */
  retryAfterMs: string | undefined;
  /** Trailing metadata `auth-client-device-token`, also where the call is answered. */
  deviceToken: string | undefined;
}

interface CallRules {
  /** A list: given so many times. */
  metadata?: Record<string, string | Buffer | (string | Buffer)[]>;
  deadlineMs?: number;
  signal?: AbortSignal;
}

export interface Gateway {
  readonly definition: PackageDefinition;
  call(method: string, request: object, rules?: CallRules): Promise<Answer>;
  /** Status of a service by grpc.health.v1. */
  health(service: string): Promise<string>;
  close(): void;
}

export async function connectGateway(address: string, channel = credentials.createInsecure()): Promise<Gateway> {
  const definition = await load([gatewayProto, healthProto], { keepCase: true, defaults: true, enums: String });
  const client = new Client(address, channel);
  return {
    definition,
    call: (method, request, rules = {}) => unary(client, find(definition, "auth.Auth", method), request, rules),
    async health(service) {
      const answer = await unary(client, find(definition, "grpc.health.v1.Health", "Check"), { service }, {});
      return answer.status === "OK" ? String((answer.reply as { status: string }).status) : answer.status;
    },
    close: () => client.close(),
  };
}

export function find(definition: PackageDefinition, service: string, method: string) {
  const found = (definition[service] as ServiceDefinition)[method];
  if (found === undefined) throw new Error(`${service} has no method ${method}`);
  return found;
}

type Method = ReturnType<typeof find>;

function unary(client: Client, method: Method, request: object, rules: CallRules): Promise<Answer> {
  const metadata = new Metadata();
  for (const [key, values] of Object.entries(rules.metadata ?? {}))
    for (const value of [values].flat()) metadata.add(key, value);
  const options = rules.deadlineMs === undefined ? {} : { deadline: new Date(systemClock.now() + rules.deadlineMs) };
  return new Promise((resolve) => {
    let answer: Answer | undefined; // comes before the status, which has the trailing metadata
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      options,
      (error, reply) => {
        answer = answerOf(error, reply);
      },
    );
    call.on("status", ({ metadata: trailer }) =>
      resolve({ ...answer!, deviceToken: trailer.get("auth-client-device-token")[0]?.toString() }),
    );
    rules.signal?.addEventListener("abort", () => call.cancel(), { once: true });
  });
}

function answerOf(error: ServiceError | null, reply: unknown): Answer {
  const said = (key: string) => error?.metadata.get(key)[0]?.toString();
  return {
    status: status[error?.code ?? status.OK]!,
    reply,
    details: error?.details ?? "",
    code: said("auth-error"),
    retryAfterMs: said("auth-retry-after-ms"),
    deviceToken: undefined,
  };
}
