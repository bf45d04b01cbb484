// The gateway as the tests play it: a gRPC client that knows nothing but an address and learns the messages by reflection
// (grpc.reflection.v1), as grpcurl does. So every test that calls also shows that reflection gives the right messages.
import { createRequire } from "node:module";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import {
  load,
  loadFileDescriptorSetFromBuffer,
  type PackageDefinition,
  type ServiceDefinition,
} from "@grpc/proto-loader";
import { systemClock } from "../../src/clock.ts";

export interface Answer {
  /** OK, INVALID_ARGUMENT … */
  status: string;
  reply: unknown;
  details: string;
  /** Trailing metadata `auth-error`. */
  code: string | undefined;
  /** Trailing metadata `auth-retry-after-ms`. */
  retryAfterMs: string | undefined;
}

export interface CallRules {
  metadata?: Record<string, string>;
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
  const client = new Client(address, channel);
  const definition = await reflect(client, ["auth.Auth", "grpc.health.v1.Health"]).catch((error: unknown) => {
    client.close();
    throw error;
  });
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

function find(definition: PackageDefinition, service: string, method: string) {
  const found = (definition[service] as ServiceDefinition)[method];
  if (found === undefined) throw new Error(`${service} has no method ${method}`);
  return found;
}

type Method = ReturnType<typeof find>;

function unary(client: Client, method: Method, request: object, rules: CallRules): Promise<Answer> {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(rules.metadata ?? {})) metadata.set(key, value);
  const options = rules.deadlineMs === undefined ? {} : { deadline: new Date(systemClock.now() + rules.deadlineMs) };
  return new Promise((resolve) => {
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      options,
      (error, reply) => resolve(answerOf(error, reply)),
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
  };
}

interface ReflectionReply {
  file_descriptor_response?: { file_descriptor_proto: Buffer[] };
  error_response?: { error_message: string };
}

async function reflect(client: Client, symbols: string[]): Promise<PackageDefinition> {
  const own = await load(createRequire(import.meta.url).resolve(reflectionProto), { keepCase: true });
  const method = find(own, "grpc.reflection.v1.ServerReflection", "ServerReflectionInfo");
  const stream = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
  for (const symbol of symbols) stream.write({ file_containing_symbol: symbol });
  stream.end();
  const files: Buffer[] = [];
  for await (const reply of stream as AsyncIterable<ReflectionReply>) {
    if (reply.error_response) throw new Error(reply.error_response.error_message);
    files.push(...(reply.file_descriptor_response?.file_descriptor_proto ?? []));
  }
  return loadFileDescriptorSetFromBuffer(fileDescriptorSet(files), { keepCase: true, defaults: true, enums: String });
}

const reflectionProto = "@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto";

/** google.protobuf.FileDescriptorSet is one repeated field, number 1: for each file its tag, its length as a varint, its bytes. */
function fileDescriptorSet(files: Buffer[]): Buffer {
  return Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a, ...varint(file.length)]), file]));
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
