// The fleet feed: every process reports every two seconds who it is (PING), what it serves (INFO) and how it is doing
// (STATS), in one JSON record on a topic of its own. JSON, unlike everything else, so that an operator can read it with
// any console consumer, and a process can write it before it has a schema. It is for people, and for requesters'
// NO_WORKERS. Write access to it does not suffice to keep a worker from starting (db/serving.ts decides that), and the
// cost of its records for a reader is bounded.
// - startReporting: reports regularly. A report that cannot be sent is dropped; the next one repeats everything.
// - announce: reports "starting", and waits for the acknowledgement.
import type { KafkaPort } from "../kafka/kafka.ts";
import { asError } from "../lib/errors.ts";
import { settledWithin } from "../lib/timeout.ts";
import type { Logger } from "../runtime/log.ts";
import { type FleetReport, recordOf } from "./fleet-report.ts";
import type { BusNames } from "./names.ts";

export const reportEveryMs = 2000;

const leavingReport = (report: FleetReport): FleetReport => ({ ...report, ping: { ...report.ping, state: "leaving" } });

export interface FeedDeps {
  kafka: Pick<KafkaPort, "partitionsOf" | "produce">;
  names: BusNames;
  log: Logger;
}

export interface FleetReporter {
  /** Reports "leaving" and stops; waits at most this long for the broker. */
  stop(waitMs: number): Promise<void>;
}

/** @param describe called for each report */
export function startReporting({ kafka, names, log }: FeedDeps, describe: () => FleetReport): FleetReporter {
  let sending = false;
  const say = async (report: FleetReport): Promise<void> => {
    sending = true;
    try {
      await kafka.produce([recordOf(report, names.fleetTopic)]);
    } catch (error) {
      log.debug({ err: asError(error) }, "the fleet could not be told");
    } finally {
      sending = false;
    }
  };
  const timer = setInterval(() => void (sending || say(describe())), reportEveryMs);
  void say(describe());
  return {
    async stop(waitMs) {
      clearInterval(timer);
      await settledWithin(waitMs, () => say(leavingReport(describe())));
    },
  };
}

/**
 * Reports once that a process exists, and waits until the broker has the record: the acknowledgement shows the broker's
 * time (kafka/broker-clock.ts), which a worker must know before it takes its first request.
 */
export async function announce({ kafka, names, log }: FeedDeps, report: FleetReport): Promise<void> {
  const { fleetTopic, setupCommand } = names;
  if ((await kafka.partitionsOf(fleetTopic)) === undefined) {
    log.warn(`There is no topic ${fleetTopic}: run ${setupCommand}. Nobody sees this process.`);
    return;
  }
  await kafka.produce([recordOf(report, fleetTopic)]);
}
