// The names of this system on the bus (bus/names.ts), written out so that each can be searched for.

export const busNames = {
  headers: {
    timeout: "auth-timeout",
    deadline: "auth-deadline",
    idempotencyKey: "auth-idempotency-key",
    replyKey: "auth-reply-key",
    device: "auth-device",
    outcome: "auth-outcome",
    replyMac: "auth-reply-mac",
    probe: "auth-probe",
  },
  replyTopicPrefix: "auth.reply.",
  fleetTopic: "auth.fleet",
  deadLetters: {
    topic: "auth.dead-letter",
    headerPrefix: "auth-dlq-",
    headers: {
      topic: "auth-dlq-topic",
      partition: "auth-dlq-partition",
      offset: "auth-dlq-offset",
      lastOffset: "auth-dlq-last-offset",
      timestamp: "auth-dlq-timestamp",
      error: "auth-dlq-error",
      at: "auth-dlq-at",
      cut: "auth-dlq-cut",
      partsCut: "auth-dlq-parts-cut",
      replayedFrom: "auth-dlq-replayed-from",
    },
  },
  refusalRecord: "auth.Refusal",
  setupCommand: "authfleet migrate",
} as const;

export const { fleetTopic } = busNames;
export const deadLetterTopic = busNames.deadLetters.topic;
export const deadLetterHeaders = busNames.deadLetters.headers;
