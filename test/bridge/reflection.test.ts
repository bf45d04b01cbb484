// What the bridge tells of itself (grpc.reflection.v1), as grpcurl asks: the messages of the gateway's own definition,
// each field with its name, its number and its type.
import { createRequire } from "node:module";
import { Client, credentials } from "@grpc/grpc-js";
import { load, loadFileDescriptorSetFromBuffer, type PackageDefinition } from "@grpc/proto-loader";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { find, gatewayProto } from "./gateway.ts";
import { type StartedBridge, startBridge } from "./pretend-fleet.ts";

interface Field {
  name: string;
  number: number;
  type: string;
}

/** `Message: name number type, ...` for each message of the package, and `Service/Method: input -> output`. */
function described(definition: PackageDefinition): string[] {
  return Object.entries(definition)
    .filter(([name]) => name.startsWith("auth."))
    .flatMap(([name, each]) => {
      if (!("format" in each))
        return Object.values(each).map(({ path, requestType, responseType }) => {
          const [input, output] = [requestType, responseType].map(({ type }) => (type as { name: string }).name);
          return `${path}: ${input} -> ${output}`;
        });
      const { field } = each.type as { field: Field[] };
      return `${name}: ${field.map((one) => `${one.name} ${one.number} ${one.type}`).join(", ")}`;
    })
    .sort();
}

let started: StartedBridge;
let client: Client;
beforeAll(async () => {
  started = await startBridge();
  client = new Client(`localhost:${started.port}`, credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await started.stop();
});

test("the messages and methods of auth.Auth are the gateway's, number by number and type by type", async () => {
  const options = { keepCase: true, defaults: true, enums: String } as const;
  const gateways = described(await load(gatewayProto, options));
  expect(gateways).toHaveLength(11 + 6);
  expect(gateways).toContain(
    "auth.CurrentUserResponse: id 1 TYPE_INT32, login 2 TYPE_STRING, is_active 3 TYPE_BOOL, is_verified 4 TYPE_BOOL, role 5 TYPE_STRING",
  );
  expect(described(await reflect(client, ["auth.Auth"]))).toEqual(gateways);
});

test("tells of health too, and of no service that is not there", async () => {
  expect(Object.keys(await reflect(client, ["grpc.health.v1.Health"]))).toContain("grpc.health.v1.Health");
  await expect(reflect(client, ["auth.Other"])).rejects.toThrow(/auth\.Other/);
});

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

/**
 * google.protobuf.FileDescriptorSet is one repeated field, number 1: for each file its tag, its length as a varint, its
 * bytes.
 */
function fileDescriptorSet(files: Buffer[]): Buffer {
  return Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a, ...varint(file.length)]), file]));
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
