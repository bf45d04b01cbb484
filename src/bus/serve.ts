// Serves commands: reads requests, runs them in their lanes and replies. Everything that an application omits has a
// default without further needs: no seals, no devices, one wide lane.
import type { KafkaPort } from "../kafka/kafka.ts";
import { systemClock } from "../lib/clock.ts";
import type { Logger } from "../runtime/log.ts";
import type { Codec } from "./avro/codec.ts";
import type { BusCommand, Lanes } from "./command.ts";
import { type DeadLetters, makeDeadLetters } from "./dead-letter-sender.ts";
import { type ExecuteDeps, makeExecute } from "./execute.ts";
import { Lane } from "./lanes.ts";
import type { BusProtocol } from "./names.ts";
import { makeReplies } from "./replies.ts";
import { Responder, type ResponderDeps } from "./responder.ts";
import { makeSender } from "./sender.ts";

type SealRules = Pick<ExecuteDeps, "openingKey" | "requireSealed" | "sealsEndBetween" | "isTransient">;
type RequestRules = Pick<
  ResponderDeps,
  "mailboxLimit" | "maxKeyBytes" | "allowedReplyTopics" | "deviceOf" | "observe" | "now" | "monotonic"
>;

export interface ServeDeps extends Partial<SealRules>, Partial<RequestRules> {
  protocol: BusProtocol;
  kafka: KafkaPort;
  /** Has loaded the schemas of the commands. */
  codec: Codec;
  commands: BusCommand[];
  group: string;
  log: Logger;
  lanes?: Lanes;
  deadLetters?: DeadLetters;
  /** Counts replies that can never arrive, by reason. */
  lost?(reason: string): void;
}

const nothing = (): undefined => undefined;

export function serve(deps: ServeDeps): Responder {
  const { protocol, kafka, codec, log, monotonic = systemClock.monotonic } = deps;
  const replies = makeReplies({ kafka, sender: makeSender(kafka), log, monotonic, lost: deps.lost ?? nothing });
  return new Responder({
    mailboxLimit: 100,
    maxKeyBytes: 1024,
    allowedReplyTopics: new RegExp(`^${protocol.names.replyTopicPrefix.replaceAll(".", "\\.")}[\\w-]+$`),
    deviceOf: nothing,
    observe: nothing,
    now: systemClock.now,
    ...deps,
    monotonic,
    replies,
    deadLetters: deps.deadLetters ?? lettersBy(replies, { log, monotonic }),
    execute: makeExecute({
      openingKey: nothing,
      requireSealed: false,
      sealsEndBetween: () => [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
      isTransient: () => false,
      ...deps,
      codec,
      monotonic,
      lanes: deps.lanes ?? oneLane(monotonic),
    }),
  });
}

function lettersBy(
  { send }: Pick<ReturnType<typeof makeReplies>, "send">,
  { log, monotonic }: { log: Logger; monotonic(): number },
): DeadLetters {
  return makeDeadLetters({ send, perMinute: 60, monotonic, log, observe: nothing });
}

function oneLane(monotonic: () => number): Lanes {
  const lane = new Lane({ width: 100 }, monotonic);
  return { hash: lane, db: lane, cheap: lane };
}
