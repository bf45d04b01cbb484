// Builds the process `mailer`: mails from auth.mail to the SMTP server.
import { Lane } from "../bus/lanes.ts";
import { openSeal, sealedTo } from "../bus/seal/seal.ts";
import type { Config } from "../config/read.ts";
import { isTransient } from "../db/faults.ts";
import { claimMail, markMail, releaseMail, takeOverMail } from "../db/mails.ts";
import type { DatabasePool } from "../db/pool.ts";
import type { FleetKeys } from "../keys/fleet-keys.ts";
import { systemClock } from "../lib/clock.ts";
import type { SentMails } from "../mail/delivery.ts";
import { Mailer } from "../mail/mailer.ts";
import { type MailSite, renderMail } from "../mail/render.ts";
import { printedMail, type SmtpServer, smtpServer } from "../mail/smtp.ts";
import { loadMailTemplates } from "../mail/template-files.ts";
import { fleetMember } from "./fleet-report.ts";
import {
  brokerClockOf,
  codecOf,
  deadLettersOf,
  kafkaOf,
  keysOf,
  type ProcessContext,
  poolOf,
  type Running,
} from "./parts.ts";

export async function startMailerProcess(context: ProcessContext): Promise<Running> {
  const { config, log, metrics, lifecycle } = context;
  if (config.AUTH_MAIL_SEAL_KEY !== undefined)
    throw new Error(
      "AUTH_MAIL_SEAL_KEY names a mailer outside of the fleet, and this one cannot open its mails: run one of the two.",
    );
  const site = siteOf(config);
  const clock = context.clock ?? systemClock;
  const kafka = kafkaOf(config, "mailer", log, { metrics, appended: brokerClockOf(context).broker.sample });
  lifecycle.onStop(() => kafka.close());
  const pool = await poolOf(context, "mailer");
  const keys = await keysOf(context, pool);
  const codec = await codecOf(context, pool);
  const mails = metrics.counter("auth_mails_total", "Mails by kind and what became of them.", ["kind", "outcome"]);
  const lane = new Lane({ width: config.AUTH_MAIL_CONNECTIONS }, clock.monotonic);
  const mailer = new Mailer({
    kafka,
    codec,
    sentMails: sentMailsIn(pool),
    smtp: smtpOf(config),
    open: (sealed) => openSealedMail(keys, sealed),
    render: (mail, secrets) => renderMail({ ...mail, ...secretsOf(secrets), lifeMs: lifeOf(config, mail.kind) }, site),
    lifeMs: (kind) => lifeOf(config, kind),
    deadLetters: deadLettersOf(context, kafka),
    turn: (work) => lane.run(Number.POSITIVE_INFINITY, work),
    isTransient,
    observe: (kind, outcome) => mails.inc({ kind, outcome }),
    log,
    clock,
  });
  lifecycle.onStop(() => mailer.close(config.AUTH_DRAIN_TIMEOUT));
  fleetMember(context, { kafka, processName: "mailer" }).start(() => ({ state: mailer.healthy ? "serving" : "away" }));
  return {
    ready: () => [
      ...(mailer.healthy ? [] : [{ name: "kafka", reason: "not a member of the consumer group" }]),
      ...(mailer.lastRefusal === undefined ? [] : [{ name: "smtp", reason: mailer.lastRefusal }]),
    ],
  };
}

/** Loaded before anything is connected, so that a fault in a template is reported at once. @throws MailTemplateFault */
function siteOf(config: Config): MailSite {
  return {
    product: config.AUTH_PRODUCT,
    linkUrl: config.AUTH_MAIL_LINK_URL ?? "",
    locale: config.AUTH_MAIL_LOCALE,
    templates: loadMailTemplates(config.AUTH_MAIL_TEMPLATES),
  };
}

function sentMailsIn(pool: DatabasePool): SentMails {
  return {
    claim: (mailId) => claimMail(pool, mailId),
    takeOver: (mailId, afterMs) => takeOverMail(pool, mailId, afterMs),
    mark: (mailId) => markMail(pool, mailId),
    release: (mailId) => releaseMail(pool, mailId),
  };
}

function smtpOf({
  AUTH_SMTP_URL: url = "",
  AUTH_MAIL_FROM: from = "",
  AUTH_SMTP_PLAINTEXT: plaintext,
}: Config): SmtpServer {
  if (url.startsWith("print:")) return printedMail((text) => void process.stdout.write(text));
  return smtpServer(url, from, { plaintext });
}

/** @throws Error where the seal is to another key, or does not open */
async function openSealedMail(keys: FleetKeys, sealed: string): Promise<Record<string, unknown>> {
  const key = keys.keyring().opening(sealedTo(sealed));
  if (key === undefined) throw new Error("it is sealed to a key that the fleet does not have, or not any more");
  return openSeal(sealed, key);
}

/** A mail with a link is useful as long as its link works, a notice as long as the topic retains it: a day. */
function lifeOf(config: Config, kind: string): number {
  if (kind === "reset") return config.AUTH_RESET_TTL;
  if (kind === "confirm" || kind === "confirm-list" || kind === "email-confirm") return config.AUTH_CONFIRM_TTL;
  return 86_400_000;
}

/** The sealed fields of a mail that have the form its template expects. */
function secretsOf({ token, username, login, accounts, ...origin }: Record<string, unknown>) {
  const isAccount = (each: unknown): each is { login: string; token: string } =>
    typeof (each as { login?: unknown } | null)?.login === "string" &&
    typeof (each as { token?: unknown }).token === "string";
  return {
    token: textOf(token),
    username: textOf(username),
    login: textOf(login),
    requestAddress: textOf(origin["requestAddress"]),
    loginAddress: textOf(origin["loginAddress"]),
    loginDevice: textOf(origin["loginDevice"]),
    accounts: Array.isArray(accounts) ? accounts.filter(isAccount) : undefined,
  };
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
