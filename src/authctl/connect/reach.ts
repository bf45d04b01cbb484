// A port to Kafka alone, for commands that must work while the registry is down, such as those on dead letters; and the
// options that choose dead letters.
import { globToRegExp, parseDuration } from "../../config/kinds.ts";
import type { KafkaPort } from "../../kafka/kafka.ts";
import { settledWithin, withTimeout } from "../../lib/timeout.ts";
import { refuse } from "../../protocol/errors.ts";
import { type Invocation, textOption } from "../command.ts";
import type { Letter } from "../dlq/letters.ts";
import { Unreachable, UsageFault } from "../faults.ts";
import type { FleetTarget } from "./target.ts";

const reachMs = 10_000;
const closeMs = 2000;

/** @throws Unreachable, Refusal FORBIDDEN, and what `use` throws */
export async function withKafka<T>(target: FleetTarget, use: (kafka: KafkaPort) => Promise<T>): Promise<T> {
  const { config, advice } = target;
  const brokers = `Kafka (${config.AUTH_KAFKA_BROKERS?.join(",")})`;
  const [{ kafkaOf }, { KafkaFault }, { silentLog }] = await Promise.all([
    import("../../processes/parts.ts"),
    import("../../kafka/faults.ts"),
    import("./silent-log.ts"),
  ]);
  const kafka = kafkaOf(config, "authctl", silentLog);
  try {
    const late = `${brokers} does not answer within ${reachMs / 1000} s. ${advice}`;
    await withTimeout(kafka.ping(), reachMs, () => new Unreachable(late));
    return await use(kafka);
  } catch (error) {
    if (!(error instanceof KafkaFault)) throw error;
    if (error.kind === "not-authorized")
      throw refuse("FORBIDDEN", { message: `${brokers} does not permit it: ${error.why}` });
    throw new Unreachable(`${brokers} does not answer (${error.kind}): ${error.why}. ${advice}`);
  } finally {
    await settledWithin(closeMs, () => kafka.close());
  }
}

/** --topic GLOB, as a test on a dead letter's original topic. @throws UsageFault */
export function topicOption(call: Invocation): ((letter: Letter) => boolean) | undefined {
  const glob = textOption(call, "topic");
  if (glob === undefined) return undefined;
  if (!/^[A-Za-z0-9._*-]{1,249}$/.test(glob)) {
    throw new UsageFault(`--topic takes a topic, * standing for anything, such as auth.session.*, not ${glob}.`);
  }
  const pattern = globToRegExp(glob);
  return ({ topic }) => pattern.test(topic);
}

/** --since DURATION, ms. @throws UsageFault */
export function sinceOption(call: Invocation): number | undefined {
  const text = textOption(call, "since");
  if (text === undefined) return undefined;
  try {
    return parseDuration(text);
  } catch {
    throw new UsageFault(`--since takes a duration, such as 30m, 12h or 7d, not ${text}.`);
  }
}
