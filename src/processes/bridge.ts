// Builds the process `bridge`: a requester, and gRPC in front of it.
import { makeBridge } from "../bridge/server.ts";
import { isRegistryAway } from "../bus/avro/schema-store.ts";
import { makeVerifier } from "../client/verifier.ts";
import { systemClock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { untilAnswered } from "../runtime/lifecycle.ts";
import { fleetMember } from "./fleet-report.ts";
import { clientOf, type ProcessContext, type Running } from "./parts.ts";

export async function startBridge(context: ProcessContext): Promise<Running> {
  const { config, log, metrics, lifecycle } = context;
  const clock = context.clock ?? systemClock;
  const { client, kafka, agreed, close } = clientOf(context, "bridge");
  lifecycle.onStop(close);
  const verifier = makeVerifier(
    {
      kafka,
      name: "bridge",
      log,
      clock: agreed,
      keys: client.keys,
      inspect: (accessToken) => client.request("auth.session.inspect", { accessToken }),
    },
    {
      maxAgeMs: config.AUTH_VERIFIER_MAX_AGE,
      issuer: config.AUTH_ISSUER,
      audience: config.AUTH_AUDIENCE,
      tokenLifeMs: config.AUTH_ACCESS_TTL,
    },
  );
  lifecycle.onStop(() => verifier.close());
  metrics.gauge("auth_verifier_age_seconds", "Age of what the bridge knows of revocations.", [], (gauge) =>
    gauge.set(verifier.ageMs / 1000),
  );
  metrics.gauge("auth_verifier_revocations", "Revocations in memory.", [], (gauge) => gauge.set(verifier.revocations));
  const canSeal = (): boolean => client.keys.missing === undefined;
  const bridge = makeBridge({ client, verifier, config, log, metrics, clock, canSeal });
  lifecycle.onStop(() => bridge.stop(config.AUTH_DRAIN_TIMEOUT));
  const { host, port } = await bridge.start();
  const patience = { what: "the schema registry", isTransient: isRegistryAway, log, signal: lifecycle.stopping };
  // Only after reading auth.key to its end is it known why a key is missing.
  const ready = () => Promise.all([client.ready(), client.keys.catchUp()]);
  untilAnswered(ready, patience).catch((error: unknown) => lifecycle.fail(asError(error)));
  fleetMember(context, { kafka, processName: "bridge" }).start(() => ({
    state: bridge.healthy ? "serving" : "away",
    stats: { inFlight: client.pending },
  }));
  return {
    jwks: () => verifier.jwks(),
    address: `${host}:${port}`,
    ready: () => {
      const { missing } = client.keys;
      if (missing !== undefined) return [{ name: "keys", reason: missing.message }];
      return bridge.healthy ? [] : [{ name: "kafka", reason: "replies cannot be received yet" }];
    },
  };
}
