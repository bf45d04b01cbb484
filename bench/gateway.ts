// The platform's gateway, with its own definition: CurrentUser over gRPC, through the bridge, in a process of its own.
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import { answer, childOptions } from "./child.ts";
import { closedLoop, type Width } from "./measure.ts";

const definition = join(import.meta.dirname, "..", "test", "interop", "gateway", "auth.proto");
const proto = loadSync(definition, { keepCase: true });
const method = (proto["auth.Auth"] as ServiceDefinition)["CurrentUser"]!;
const client = new Client(childOptions<{ grpc: string }>().grpc, credentials.createInsecure());

function currentUser(accessToken: string): Promise<unknown> {
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      { access_token: accessToken },
      (error, reply) => (error ? reject(error) : resolve(reply)),
    ),
  );
}

answer({
  ready: () =>
    new Promise<void>((resolve, reject) =>
      client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve())),
    ),
  run: ({ tokens, ...width }: Width & { tokens: string[] }) => closedLoop(width, (slot) => currentUser(tokens[slot]!)),
});
