// What the dlq commands share besides the letters: a port to Kafka (the registry may be away: dead letters are looked at when something is
// wrong), and the options that choose letters.
import { setTimeout as sleep } from "node:timers/promises";
import { globToRegExp, parseDuration } from "../../config/kinds.ts";
import type { KafkaPort } from "../../kafka/kafka.ts";
import { withTimeout } from "../../lib/timeout.ts";
import { refuse } from "../../protocol/errors.ts";
import { type Invocation, textOption, Unreachable, UsageFault } from "../command.ts";
import type { Letter } from "../dlq/letters.ts";
import type { Target } from "./target.ts";

const reachMs = 10_000;
const closeMs = 2000;

/** @throws Unreachable, Refusal FORBIDDEN, and what `use` throws */
export async function withKafka<T>(target: Target, use: (kafka: KafkaPort) => Promise<T>): Promise<T> {
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
    await Promise.race([kafka.close().catch(() => undefined), sleep(closeMs, undefined, { ref: false })]);
  }
}

/** --topic GLOB, as what a letter must have been. @throws UsageFault */
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
