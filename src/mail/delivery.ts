// Sends one mail once: claimed in the database, handed to the SMTP server, marked. What the server surely does not have
// gives its claim back and is tried again, with longer and longer pauses, for as long as the mail is of use; what it
// refuses for good is unsendable. A mailer that is killed between claim and mark leaves it open whether the mail went
// out. Then it is not sent again by itself: a mail cannot be taken back, and a second "your password was changed"
// frightens its receiver, while whoever misses a mail asks again. It becomes a dead letter, and an operator who replays
// that has it sent all the same.
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import type { Logger } from "../runtime/log.ts";
import { type StoredMail, UnsendableMail } from "./mail-record.ts";
import type { RenderedMail } from "./render.ts";
import { SmtpFault, type SmtpServer } from "./smtp.ts";

/** Which mails were claimed and sent, in the database (db/mails.ts). */
export interface SentMails {
  claim(mailId: string): Promise<{ made: boolean; sent: boolean; ageMs: number }>;
  /** For a claim that was left at least so long ago. @returns whether it is ours now */
  takeOver(mailId: string, afterMs: number): Promise<boolean>;
  mark(mailId: string): Promise<void>;
  release(mailId: string): Promise<void>;
}

export interface MailDeliveryTimes {
  /** First and longest pause between tries, ms. */
  first: number;
  longest: number;
  /** A claim that is older, and not marked, was left: above the longest time that sending takes (smtp.ts). */
  leftMs: number;
}

const defaults: MailDeliveryTimes = { first: 1000, longest: 60_000, leftMs: 90_000 };

export interface MailDeliveryDeps {
  sentMails: SentMails;
  smtp: SmtpServer;
  /** How long after it was asked for a mail of the kind is worth sending, ms. */
  lifeMs(kind: string): number;
  /** Limits how many are sent at a time. */
  turn<T>(work: () => Promise<T>): Promise<T>;
  /** Whether another try may succeed: the database or the registry is away. */
  isTransient(error: unknown): boolean;
  /** Counts a try that the server did not take. */
  triedAgain(kind: string): void;
  log: Logger;
  clock: Clock;
  times?: Partial<MailDeliveryTimes> | undefined;
}

export interface OutgoingRecord {
  mail: StoredMail;
  rendered: RenderedMail;
  /** An operator has looked at its dead letter and wants it sent. */
  replayed: boolean;
}

export class MailDelivery {
  readonly #deps: MailDeliveryDeps;
  readonly #times: MailDeliveryTimes;
  #lastRefusal: string | undefined;

  constructor(deps: MailDeliveryDeps) {
    this.#deps = deps;
    this.#times = { ...defaults, ...deps.times };
  }

  /** What the SMTP server said last, where it has taken nothing since. */
  get lastRefusal(): string | undefined {
    return this.#lastRefusal;
  }

  /** @throws UnsendableMail; what `stopping` brings about */
  async send(outgoing: OutgoingRecord, stopping: AbortSignal): Promise<"sent" | "repeated"> {
    const { mailId, kind, at } = outgoing.mail;
    const until = at + this.#deps.lifeMs(kind);
    for (let pause = this.#times.first; ; pause = Math.min(pause * 2, this.#times.longest)) {
      if (this.#deps.clock.now() > until) throw this.#tooLate();
      const outcome = await this.#deps.turn(() => this.#attempt(outgoing, stopping));
      if (outcome === "sent" || outcome === "repeated") return outcome;
      if (outcome === "not-taken") {
        this.#deps.triedAgain(kind);
        this.#deps.log.warn({ mailId, kind, pause, reason: this.#lastRefusal }, "mail was not taken, tried again");
      }
      await sleep(outcome === "busy" ? this.#times.first : pause, undefined, { signal: stopping });
    }
  }

  #tooLate(): UnsendableMail {
    const why = this.#lastRefusal === undefined ? "" : `: ${this.#lastRefusal}`;
    return new UnsendableMail(`it could not be sent while it was of use${why}`);
  }

  /** @returns "busy" where another mailer has claimed it. @throws UnsendableMail */
  async #attempt(outgoing: OutgoingRecord, stopping: AbortSignal): Promise<"sent" | "repeated" | "not-taken" | "busy"> {
    const { sentMails, smtp } = this.#deps;
    const { mailId, to, at } = outgoing.mail;
    const claim = await this.retry(() => this.#claim(outgoing), stopping);
    if (claim !== "ours") return claim;
    try {
      await smtp.send({ ...outgoing.rendered, mailId, to, at });
    } catch (error) {
      if (!(error instanceof SmtpFault)) throw error;
      if (error.kind === "undecided") throw new UnsendableMail(`it may have gone out: ${error.message}`);
      await this.retry(() => sentMails.release(mailId), stopping);
      if (error.kind === "permanent") throw new UnsendableMail(error.message);
      this.#lastRefusal = error.message;
      return "not-taken";
    }
    this.#lastRefusal = undefined;
    await this.retry(() => sentMails.mark(mailId), stopping);
    return "sent";
  }

  /** @throws UnsendableMail where nobody knows whether it was sent */
  async #claim({ mail: { mailId }, replayed }: OutgoingRecord): Promise<"ours" | "repeated" | "busy"> {
    const { sentMails } = this.#deps;
    const { made, sent, ageMs } = await sentMails.claim(mailId);
    if (made) return "ours";
    if (sent) return "repeated";
    if (ageMs < this.#times.leftMs) return "busy";
    if (replayed) return (await sentMails.takeOver(mailId, this.#times.leftMs)) ? "ours" : "busy";
    throw new UnsendableMail("its mailer ended while sending it: it may have gone out; replay it to send it again");
  }

  /** Runs what may meet a transient fault, until it succeeds or `stopping` ends it. */
  async retry<T>(run: () => Promise<T>, stopping: AbortSignal): Promise<T> {
    for (let pause = this.#times.first; ; pause = Math.min(pause * 2, this.#times.longest)) {
      try {
        return await run();
      } catch (error) {
        if (!this.#deps.isTransient(error) || stopping.aborted) throw error;
        this.#deps.log.warn({ err: asError(error), pause }, "mail is tried again");
        await sleep(pause, undefined, { signal: stopping });
      }
    }
  }
}
