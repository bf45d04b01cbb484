// The mailer: auth.mail to SMTP, in a consumer group of its own, any number of them. Each record is opened, becomes text and is sent once.
// The life of a mail: claimed in the database -> handed to the server -> marked. What surely did not arrive gives its claim back and is tried
// again, with longer and longer pauses, until it is not worth sending any more; what the server refuses for good is a dead letter.
// A mailer that dies between claim and mark leaves it open whether the mail went out. Then it is NOT sent again by itself: a mail cannot be taken
// back, and a second one that says "your password was reset" frightens who got the first; one that is missing leaves its receiver where he was,
// and he asks again. It becomes a dead letter, so an operator sees it, and sends it all the same by replaying that.

import { setTimeout as sleep } from "node:timers/promises";
import { type Codec, CodecFault } from "../bus/avro/codec.ts";
import { deadLetter, unreadableLetter } from "../bus/dead-letter.ts";
import type { DeadLetters } from "../bus/dead-letter-sender.ts";
import { follow } from "../bus/partition-consumer.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import type { InRecord, TopicPartition } from "../kafka/records.ts";
import type { Clock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { busNames, deadLetterHeaders } from "../protocol/bus-names.ts";
import { storedAddress } from "../protocol/email-addresses.ts";
import type { Logger } from "../runtime/log.ts";
import { SmtpFault, type SmtpServer } from "./smtp.ts";
import type { RenderedMail } from "./templates.ts";

/** How a mail stands in the database (db/mails.ts). */
export interface MailBook {
  claim(mailId: string): Promise<{ made: boolean; sent: boolean; ageMs: number }>;
  /** For one that was left open at least so long ago. @returns whether it is ours now */
  takeOver(mailId: string, afterMs: number): Promise<boolean>;
  mark(mailId: string): Promise<void>;
  release(mailId: string): Promise<void>;
}

export interface MailerDeps {
  kafka: KafkaPort;
  codec: Codec;
  book: MailBook;
  smtp: SmtpServer;
  /** @throws Error where the seal is not for the fleet */
  open(sealed: string): Promise<Record<string, unknown>>;
  render(mail: StoredMail, secrets: Record<string, unknown>): RenderedMail | undefined;
  /** How long after it was asked for a mail of the kind is worth sending, ms. */
  lifeMs(kind: string): number;
  deadLetters: DeadLetters;
  /** Lets so many at once. */
  turn<T>(work: () => Promise<T>): Promise<T>;
  /** Database and registry: whether another try may succeed. */
  isTransient(error: unknown): boolean;
  observe(kind: string, outcome: MailOutcome): void;
  log: Logger;
  clock: Clock;
  times?: Partial<MailerTimes>;
}

export type MailOutcome = "sent" | "repeated" | "dead-letter" | "tried-again";

export interface MailerTimes {
  /** First and longest pause between tries, ms. */
  first: number;
  longest: number;
  /** A claim that is older, and not marked, was left: above the longest time that sending takes (smtp.ts). */
  leftMs: number;
}

const defaults: MailerTimes = { first: 1000, longest: 60_000, leftMs: 90_000 };

/** A record of auth.mail. */
export interface StoredMail {
  mailId: string;
  at: number;
  kind: string;
  to: string;
  locale: string;
  sealed: string;
}

export interface Mailer {
  joined: Promise<void>;
  /** Whether it is a member of its group. */
  readonly healthy: boolean;
  /** What the SMTP server said last, where it took nothing since. */
  readonly trouble: string | undefined;
  close(drainMs: number): Promise<void>;
}

export const mailerGroup = "auth.mailer";

/** Why a record cannot become a mail, ever. */
class Hopeless extends Error {
  override readonly name: string = "Hopeless";
}

/** The same of a record that the fleet did not write so. */
class Forged extends Hopeless {
  override readonly name = "Forged";
}

export function startMailer(parts: MailerDeps): Mailer {
  const { kafka, log } = parts;
  const times = { ...defaults, ...parts.times };
  let trouble: string | undefined;

  const work = async (record: InRecord, stopping: AbortSignal): Promise<void> => {
    let mail: StoredMail | undefined;
    try {
      const written = await patiently(() => decode(parts.codec, record), stopping);
      mail = addressed(written);
      const { kind } = mail;
      const rendered = await readable(parts, mail, written);
      const outcome = await sendOnce({ mail, rendered, replayed: isReplay(record) }, stopping);
      parts.observe(kind, outcome);
    } catch (error) {
      if (stopping.aborted) throw error;
      const { message } = asError(error);
      log.error(
        { mailId: mail?.mailId, kind: mail?.kind, offset: String(record.offset) },
        `mail is not sent: ${message}`,
      );
      parts.observe(mail?.kind ?? "unknown", "dead-letter");
      // A mail of the fleet's own is never left out; what is none comes from a stranger.
      const requester = mail === undefined || error instanceof Forged ? placeOf(record) : undefined;
      const letter = deadLetter(record, {
        error: message,
        now: parts.clock.now(),
        deadLetters: busNames.deadLetters,
      });
      await parts.deadLetters.send({ record: letter, reason: "mail", requester }, stopping);
    }
  };

  const patiently = async <T>(run: () => Promise<T>, stopping: AbortSignal): Promise<T> => {
    for (let pause = times.first; ; pause = Math.min(pause * 2, times.longest)) {
      try {
        return await run();
      } catch (error) {
        if (!isPassing(error) || stopping.aborted) throw error;
        log.warn({ err: asError(error), pause }, "mail is tried again");
        await sleep(pause, undefined, { signal: stopping });
      }
    }
  };
  const isPassing = (error: unknown): boolean =>
    parts.isTransient(error) || (error instanceof CodecFault && error.kind === "unreachable");

  /** @throws Hopeless, SmtpFault; what `stopping` brings about */
  const sendOnce = async (sending: Sending, stopping: AbortSignal): Promise<MailOutcome> => {
    const { mailId, kind, at } = sending.mail;
    const until = at + parts.lifeMs(kind);
    for (let pause = times.first; ; pause = Math.min(pause * 2, times.longest)) {
      if (parts.clock.now() > until)
        throw new Hopeless(`it could not be sent while it was of use${trouble === undefined ? "" : `: ${trouble}`}`);
      const outcome = await parts.turn(() => attempt(sending, stopping));
      if (outcome === "busy") {
        await sleep(times.first, undefined, { signal: stopping });
        continue;
      }
      if (outcome !== "tried-again") return outcome;
      parts.observe(kind, outcome);
      log.warn({ mailId, kind, pause, trouble }, "mail was not taken, tried again");
      await sleep(pause, undefined, { signal: stopping });
    }
  };

  const attempt = async (sending: Sending, stopping: AbortSignal): Promise<MailOutcome | "busy"> => {
    const { mail, rendered } = sending;
    const { mailId, to, at } = mail;
    const claim = await patiently(() => claimed(sending), stopping);
    if (claim !== "ours") return claim;
    try {
      await parts.smtp.send({ ...rendered, mailId, to, at });
    } catch (error) {
      if (!(error instanceof SmtpFault)) throw error;
      if (error.kind === "undecided") throw new Hopeless(`it may have gone out: ${error.message}`);
      await patiently(() => parts.book.release(mailId), stopping);
      if (error.kind === "permanent") throw new Hopeless(error.message);
      trouble = error.message;
      return "tried-again";
    }
    trouble = undefined;
    await patiently(() => parts.book.mark(mailId), stopping);
    return "sent";
  };

  /** @returns "busy" where another mailer is at it, or may be. @throws Hopeless where nobody knows whether it was sent */
  const claimed = async ({ mail: { mailId }, replayed }: Sending): Promise<"ours" | "repeated" | "busy"> => {
    const { made, sent, ageMs } = await parts.book.claim(mailId);
    if (made) return "ours";
    if (sent) return "repeated";
    if (ageMs < times.leftMs) return "busy";
    if (replayed) return (await parts.book.takeOver(mailId, times.leftMs)) ? "ours" : "busy";
    throw new Hopeless("its mailer ended while it was sending it: it may have gone out; replay it to send it again");
  };

  const following = follow({
    kafka,
    group: mailerGroup,
    topics: ["auth.mail"],
    keyOf: (record) => record.key?.toString("utf8") ?? `${record.partition}/${record.offset}`,
    work,
    async passOver(records, stopping) {
      const record = unreadableLetter(records, { now: parts.clock.now(), deadLetters: busNames.deadLetters });
      await parts.deadLetters.send({ record, reason: "unreadable", requester: placeOf(records) }, stopping);
      parts.observe("unknown", "dead-letter");
    },
    log,
  });
  return {
    joined: following.joined,
    get healthy() {
      return following.healthy;
    },
    get trouble() {
      return trouble;
    },
    close: (drainMs) => following.close(drainMs),
  };
}

interface Sending {
  mail: StoredMail;
  rendered: RenderedMail;
  /** An operator has looked at its dead letter and wants it sent. */
  replayed: boolean;
}

const placeOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

const isReplay = ({ headers }: InRecord): boolean => headers[deadLetterHeaders.replayedFrom] !== undefined;

async function decode(codec: Codec, { value }: InRecord): Promise<StoredMail> {
  return (await codec.decode("auth.Mail", value)) as StoredMail;
}

/** Whoever wrote the record: nothing but an address comes into an envelope or a header. @throws Hopeless */
function addressed(mail: StoredMail): StoredMail {
  const to = storedAddress(mail.to);
  if (to === undefined) throw new Hopeless("its receiver is no e-mail address");
  return { ...mail, to };
}

/** @param written as it stands in the record. @throws Hopeless */
async function readable({ open, render }: MailerDeps, mail: StoredMail, written: StoredMail): Promise<RenderedMail> {
  const inside = await open(mail.sealed);
  checkBound(written, inside);
  const rendered = render(mail, inside);
  if (rendered === undefined)
    throw new Hopeless(`this version has no template for ${mail.kind}, or the mail lacks its token`);
  return rendered;
}

const bound = ["mailId", "at", "kind", "to", "locale"] as const;

/**
 * A seal is for one mail: its record holds nothing in clear that does not stand in the seal as well. Else whoever can write to auth.mail could have
 * somebody's link sent to themselves, out of a mail's seal or of a request's, which is to the same key. @throws Forged
 */
function checkBound(written: StoredMail, inside: Record<string, unknown>): void {
  for (const name of bound)
    if (inside[name] !== String(written[name])) throw new Forged(`its seal is for another mail, or for none: ${name}`);
}
