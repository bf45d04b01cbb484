// The part of a worker that serves requests: the consumer of its commands' topics, its metrics, and its reports to the
// fleet.

import type { Codec } from "../bus/avro/codec.ts";
import type { BusCommand, Lanes } from "../bus/command.ts";
import type { CommandStats } from "../bus/command-stats.ts";
import type { DeadLetters } from "../bus/dead-letter-sender.ts";
import type { Lane } from "../bus/lanes.ts";
import type { Responder } from "../bus/responder.ts";
import { serve } from "../bus/serve.ts";
import type { DeviceTokens } from "../crypto/device-token.ts";
import { isTransient } from "../db/faults.ts";
import type { BrokerClock } from "../kafka/broker-clock.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import type { FleetKeys } from "../keys/fleet-keys.ts";
import type { Clock } from "../lib/clock.ts";
import { busNames } from "../protocol/bus-names.ts";
import { maxKeyBytes } from "../protocol/record-key.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { ProcessStatus } from "./fleet-report.ts";
import type { ProcessContext } from "./parts.ts";

export interface Serving {
  kafka: KafkaPort;
  codec: Codec;
  commands: BusCommand[];
  lanes: Lanes;
  keys: FleetKeys;
  devices: DeviceTokens;
  clock: Clock;
  brokerClock: BrokerClock;
  commandStats: CommandStats;
  deadLetters: DeadLetters;
}

export function serveRequests(
  { config, log, metrics, lifecycle }: ProcessContext,
  { kafka, codec, commands, lanes, keys, devices, clock, brokerClock, commandStats, deadLetters }: Serving,
): Responder {
  const lost = metrics.counter("auth_replies_lost_total", "Replies that can never arrive.", ["reason"]);
  const requests = metrics.counter("auth_requests_total", "Requests by topic and outcome.", ["topic", "outcome"]);
  const seconds = metrics.histogram(
    "auth_request_seconds",
    "From the broker's time of a request to its acknowledged reply.",
    ["topic"],
  );
  const tokens = metrics.counter(
    "auth_device_tokens_total",
    "Requests with a device token, by whether it holds for their record key; one that does not counts as none.",
    ["holds"],
  );
  const consumer = serve({
    ...{ protocol: { names: busNames }, kafka, codec, commands, lanes, deadLetters, log, maxKeyBytes, isTransient },
    group: config.AUTH_GROUP,
    mailboxLimit: config.AUTH_MAILBOX_LIMIT,
    allowedReplyTopics: config.AUTH_REPLY_TOPICS,
    requireSealed: config.AUTH_REQUIRE_SEALED,
    now: brokerClock.now,
    monotonic: clock.monotonic,
    openingKey: (kid) => keys.keyring().opening(kid),
    sealsEndBetween: () => sealsEndBetween(clock.now(), config.AUTH_IDEMPOTENCY_TTL),
    deviceOf(token, at) {
      const held = devices.verify(token, at);
      tokens.inc({ holds: String(held !== undefined) });
      return held;
    },
    observe(topic, outcome, ms) {
      requests.inc({ topic, outcome });
      seconds.observe({ topic }, Math.max(ms, 0) / 1000);
      commandStats.observe(topic, outcome, ms);
    },
    lost: (reason) => lost.inc({ reason }),
  });
  lifecycle.onStop(() => consumer.close(config.AUTH_DRAIN_TIMEOUT));
  tellPrometheus(metrics, consumer, { commands, lanes });
  return consumer;
}

function tellPrometheus(
  metrics: Metrics,
  consumer: Responder,
  { commands, lanes }: Pick<Serving, "commands" | "lanes">,
): void {
  metrics.gauge("auth_requests_in_flight", "Requests taken and not finished.", [], (gauge) =>
    gauge.set(consumer.inFlight),
  );
  metrics.gauge("auth_partitions_held", "Partitions of request topics this worker holds.", [], (gauge) =>
    gauge.set(sum(Object.values(consumer.held()).map((partitions) => partitions.length))),
  );
  metrics.gauge("auth_lag_records", "Records of the partitions held that are not finished.", ["topic"], (gauge) => {
    gauge.reset();
    for (const [topic, records] of consumer.lag()) gauge.set({ topic }, records);
  });
  metrics.gauge(
    "auth_lag_hash_seconds",
    "Time the hash lane needs for what waits on the partitions held.",
    [],
    (gauge) => gauge.set(lagOf(consumer, { commands, lanes }).hashSeconds),
  );
  const ofLanes = (name: string, help: string, of: (lane: Lane) => number): void => {
    metrics.gauge(name, help, ["lane"], (gauge) => {
      for (const [lane, made] of Object.entries(lanes)) gauge.set({ lane }, of(made));
    });
  };
  ofLanes("auth_lane_queued", "Work that waits for its lane.", ({ queued }) => queued);
  ofLanes("auth_lane_running", "Work that its lane does now.", ({ running }) => running);
  ofLanes("auth_lane_width", "Work that a lane does at a time, at most.", ({ width }) => width);
  metrics.gauge("auth_hash_seconds", "Usual cost of one password hash.", [], (gauge) =>
    gauge.set(lanes.hash.cost / 1000),
  );
}

const minute = 60_000;
/** Tolerated difference between the clocks of workers, brokers and the database. */
const slackMs = 15 * minute;
/** A seal may be valid for an hour. */
const sealAheadMs = 60 * minute + slackMs;

/**
 * When a seal may expire, by this machine's clock: only while its request's answer, given at the earliest time, is
 * certainly still stored. With the broker's time alone, whoever controls the broker's clock could replay a request from
 * days ago.
 */
function sealsEndBetween(now: number, answersStoredMs: number): readonly [number, number] {
  return [now - (answersStoredMs - sealAheadMs - slackMs), now + sealAheadMs];
}

export function pulseOf(
  consumer: Responder,
  { commands, lanes, commandStats }: Pick<Serving, "commands" | "lanes" | "commandStats">,
): ProcessStatus {
  return {
    state: consumer.healthy ? "serving" : "away",
    partitions: consumer.held(),
    stats: {
      inFlight: consumer.inFlight,
      mailboxes: consumer.mailboxes,
      lanes: Object.fromEntries(
        Object.entries(lanes).map(([name, { width, running, queued, cost }]) => [
          name,
          { width, running, queued, costMs: cost },
        ]),
      ),
      commands: commandStats.take(),
      lag: lagOf(consumer, { commands, lanes }),
    },
  };
}

function lagOf(consumer: Responder, { commands, lanes }: Pick<Serving, "commands" | "lanes">) {
  const lag = consumer.lag();
  const hashed = commands.filter(({ lane }) => lane === "hash").map(({ topic }) => lag.get(topic) ?? 0);
  const { cost, width } = lanes.hash;
  return { records: sum([...lag.values()]), hashSeconds: (sum(hashed) * cost) / width / 1000 };
}

const sum = (numbers: number[]): number => numbers.reduce((total, each) => total + each, 0);
