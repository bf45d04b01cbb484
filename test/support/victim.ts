// A service as a process of its own, with our client and verifier, that does what it is told over IPC: so a test can
// switch mechanisms of the client off in it (faults.ts), and stop the fleet meanwhile. Its environment is a fleet's;
// AUTH_FLEET_ID absent: it trusts whoever writes.

import { connectRegistry } from "../../src/bus/avro/schema-store.ts";
import { connectClient } from "../../src/client/connect.ts";
import { makeVerifier } from "../../src/client/verifier.ts";
import { connectKafka } from "../../src/kafka/kafka.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import { makeLogger } from "../../src/runtime/log.ts";

const { env } = process;
const log = makeLogger("silent", {});
const kafka = connectKafka(
  { brokers: env["AUTH_KAFKA_BROKERS"]!.split(","), clientId: "victim", prefix: env["AUTH_TOPIC_PREFIX"]! },
  log,
);
const schemas = connectRegistry({ url: env["AUTH_REGISTRY_URL"]! });
const fleetIds = env["AUTH_FLEET_ID"]?.split(",");
let ignored = 0;
const counted = (): void => {
  ignored += 1;
};
const client = connectClient({ kafka, schemas, name: "gateway", log, fleetIds, ignored: counted });
const inspect = (accessToken: string) => client.request("auth.session.inspect", { accessToken });
const verifier = makeVerifier({ kafka, name: "gateway", log, clock: systemClock, inspect, keys: client.keys });

const does: Record<string, (input: never) => Promise<unknown> | unknown> = {
  login: (input: { login: string; password: string }) =>
    client.request("auth.session.login", input, { timeoutMs: 15_000 }),
  verify: ({ token }: { token: string }) => verifier.verify(token),
  kids: () => verifier.jwks().keys.map((key) => (key as { kid: string }).kid),
  ignored: () => ignored,
};

async function answerTo({ id, what, input }: { id: number; what: string; input: never }): Promise<void> {
  try {
    process.send!({ id, ok: await does[what]!(input) });
  } catch (error) {
    const { code, details, authentic, retryAfterMs } = error as Refusal;
    process.send!({
      id,
      refused: error instanceof Refusal ? { code, details, authentic, retryAfterMs } : String(error),
    });
  }
}

process.on("message", (asked) => void answerTo(asked as Parameters<typeof answerTo>[0]));
process.once("disconnect", () => process.exit(0)); // whoever started it is gone
await client.ready();
process.send!({ id: 0 });
