// Sends a mail once: claims it in the database, passes it to the SMTP server, marks it. If the server certainly does
// not have it, the claim is released and the mail is retried with growing pauses for as long as it is useful. If the
// server refuses it permanently, it cannot be sent. If a mailer is killed between claim and mark, the mail may or may
// not have been sent; it is then not sent again automatically, because a mail cannot be taken back and a second "your
// password was changed" is alarming, whereas a user who misses a mail can ask again. It becomes a dead letter, and an
// operator can have it sent by replaying that.
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
  /** Takes over a claim of at least this age. @returns whether it succeeded */
  takeOver(mailId: string, afterMs: number): Promise<boolean>;
  mark(mailId: string): Promise<void>;
  release(mailId: string): Promise<void>;
}

export interface MailDeliveryTimes {
  /** First and longest pause between attempts, ms. */
  first: number;
  longest: number;
  /** The age after which an unmarked claim was abandoned: longer than sending can take (smtp.ts). */
  leftMs: number;
}

const defaults: MailDeliveryTimes = { first: 1000, longest: 60_000, leftMs: 90_000 };

export interface MailDeliveryDeps {
  sentMails: SentMails;
  smtp: SmtpServer;
  /** How long after it was requested a mail of the kind is worth sending, ms. */
  lifeMs(kind: string): number;
  /** Limits how many are sent at a time. */
  turn<T>(work: () => Promise<T>): Promise<T>;
  /** Whether a fault is transient: the database or the registry is away. */
  isTransient(error: unknown): boolean;
  /** Counts an attempt that the server did not accept. */
  triedAgain(kind: string): void;
  log: Logger;
  clock: Clock;
  times?: Partial<MailDeliveryTimes> | undefined;
}

export interface OutgoingRecord {
  mail: StoredMail;
  rendered: RenderedMail;
  /** An operator replayed its dead letter. */
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

  /** The SMTP server's last refusal, if it has accepted nothing since. */
  get lastRefusal(): string | undefined {
    return this.#lastRefusal;
  }

  /** @throws UnsendableMail; the reason of `stopping` */
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

  /** @throws UnsendableMail where it is unknown whether it was sent */
  async #claim({ mail: { mailId }, replayed }: OutgoingRecord): Promise<"ours" | "repeated" | "busy"> {
    const { sentMails } = this.#deps;
    const { made, sent, ageMs } = await sentMails.claim(mailId);
    if (made) return "ours";
    if (sent) return "repeated";
    if (ageMs < this.#times.leftMs) return "busy";
    if (replayed) return (await sentMails.takeOver(mailId, this.#times.leftMs)) ? "ours" : "busy";
    throw new UnsendableMail("its mailer ended while sending it: it may have gone out; replay it to send it again");
  }

  /** Retries transient faults until `run` succeeds or `stopping` ends it. */
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
