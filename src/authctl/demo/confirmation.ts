// The confirmation token as the platform's mailer gets it: from the legacy topic `auth`, which carries it in clear. A
// consumer in a group of its own reads from now on. No probe can show that it reads already, because the mailer would
// read the probe too. So it may miss a mail sent in the first moments, and the demo then asks the fleet for another
// one.
import { randomBytes } from "node:crypto";
import { shared } from "../../kafka/assigner.ts";
import type { KafkaPort } from "../../kafka/kafka.ts";
import type { InRecord } from "../../kafka/records.ts";
import { withTimeout } from "../../lib/timeout.ts";
import { Unexpected } from "./steps.ts";

export const confirmationTopic = "auth";

interface Confirmation {
  id: number;
  token: string;
}

export interface Confirmations {
  /** The first mail to this address since the start. @throws Unexpected after `ms` */
  to(email: string, ms: number): Promise<Confirmation>;
}

const joinMs = 15_000;

/** @returns undefined where the fleet has no such topic: legacy topics are off */
export async function watchConfirmations(kafka: KafkaPort): Promise<Confirmations | undefined> {
  if ((await kafka.partitionsOf(confirmationTopic)) === undefined) return undefined;
  const seen = new Map<string, Confirmation>();
  const waiting = new Map<string, (mail: Confirmation) => void>();
  const take = (record: InRecord): void => {
    const mail = readMail(record.value);
    if (mail === undefined || seen.has(mail.email)) return;
    seen.set(mail.email, mail);
    waiting.get(mail.email)?.(mail);
  };
  const { joined } = kafka.consume({
    group: `authctl.${randomBytes(9).toString("base64url")}`,
    topics: [confirmationTopic],
    from: "latest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords: (records) => records.forEach(take),
  });
  await withTimeout(
    joined,
    joinMs,
    () => new Unexpected(`The topic ${confirmationTopic} could not be read within ${joinMs / 1000} s.`),
  );
  return {
    async to(email, ms) {
      const { promise, resolve } = Promise.withResolvers<Confirmation>();
      waiting.set(email, resolve);
      const known = seen.get(email);
      if (known !== undefined) resolve(known);
      const late = `No confirmation came on the topic ${confirmationTopic} within ${ms / 1000} s: does a relay run, and are legacy topics on (AUTH_LEGACY_TOPICS)?`;
      return withTimeout(promise, ms, () => new Unexpected(late));
    },
  };
}

/** Others write to this topic too: a record of another form is skipped. */
function readMail(value: Buffer | null): (Confirmation & { email: string }) | undefined {
  try {
    const { id, token, email } = JSON.parse(value?.toString("utf8") ?? "") as Record<string, unknown>;
    if (typeof id !== "number" || typeof token !== "string" || typeof email !== "string") return undefined;
    return { id, token, email };
  } catch {
    return undefined;
  }
}
