// Passes a mail to an SMTP server (RFC 5321); the only file that imports nodemailer. Each mail has a connection of its
// own, so that a fault concerns one mail, and it is known how far that one got. Sending ends within a minute,
// successfully or with an SmtpFault. "transient": the server certainly does not have the mail, so retry. "permanent":
// the server refuses this mail. "undecided": the connection ended after the mail was transferred and before the server
// confirmed it, so it may have been sent. Passwords are only sent over TLS, unless configured otherwise.
import { Readable } from "node:stream";
import MailComposer from "nodemailer/lib/mail-composer";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { asError } from "../lib/errors.ts";
import { escaped } from "../lib/escaped.ts";
import type { RenderedMail } from "./render.ts";

export type SmtpFaultKind = "transient" | "permanent" | "undecided";

export class SmtpFault extends Error {
  override readonly name = "SmtpFault";
  readonly kind: SmtpFaultKind;

  constructor(kind: SmtpFaultKind, cause: Error) {
    super(cause.message, { cause });
    this.kind = kind;
  }
}

interface OutgoingMail extends RenderedMail {
  /** The mail's id (UUID), also in its Message-ID, by which a receiver recognises a duplicate. */
  mailId: string;
  to: string;
  /** Unix ms. */
  at: number;
}

export interface SmtpServer {
  /** @throws SmtpFault */
  send(mail: OutgoingMail): Promise<void>;
}

/** RFC 5321, 4.5.3.2, allows minutes. Our mails are a few KB: it is better to ask a slow server again. */
const patienceMs = { connect: 10_000, greeting: 10_000, idle: 30_000, all: 60_000 };

/**
 * @param url smtp://user:password@host:port or smtps://. With smtp://, STARTTLS is used where offered, and required
 *   with a user or ?starttls=required
 * @param from as in a header
 * @param plaintext allow sending the password without TLS where the server offers none
 */
export function smtpServer(url: string, from: string, { plaintext = false } = {}): SmtpServer {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url);
  const secure = protocol === "smtps:";
  const auth = username === "" ? undefined : { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
  const options = {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (secure ? 465 : 587) : Number(port),
    secure,
    requireTLS: !secure && (searchParams.get("starttls") === "required" || (auth !== undefined && !plaintext)),
    connectionTimeout: patienceMs.connect,
    greetingTimeout: patienceMs.greeting,
    socketTimeout: patienceMs.idle,
  };
  const sender = addressOf(from);
  return {
    async send(mail) {
      const bytes = await compose(mail, from, sender.split("@")[1] ?? "localhost");
      await deliver({ options, auth, envelope: { from: sender, to: [mail.to] }, bytes });
    },
  };
}

/** The address in `Name <address>`, or the text itself. */
function addressOf(from: string): string {
  return /<([^<>]+)>\s*$/.exec(from)?.[1] ?? from.trim();
}

function compose({ mailId, to, at, subject, text, html }: OutgoingMail, from: string, domain: string): Promise<Buffer> {
  const composer = new MailComposer({
    from,
    to: { name: "", address: to },
    subject,
    text,
    html,
    date: new Date(at),
    messageId: `<${mailId}@${domain}>`,
    headers: { "Auto-Submitted": "auto-generated" }, // RFC 3834: no automatic replies
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}

interface Delivery {
  options: ConstructorParameters<typeof SMTPConnection>[0];
  auth: { user: string; pass: string } | undefined;
  envelope: { from: string; to: string[] };
  bytes: Buffer;
}

function deliver({ options, auth, envelope, bytes }: Delivery): Promise<void> {
  const connection = new SMTPConnection(options);
  const body = Readable.from([bytes]); // only read once the server has agreed to accept it
  return new Promise<void>((resolve, reject) => {
    const fail = (thrown: unknown): void => {
      clearTimeout(late);
      const error = asError(thrown);
      reject(new SmtpFault(kindOf(error, body.readableDidRead), error));
      connection.close(); // last, because it emits "end" itself
    };
    const late = setTimeout(() => fail(new Error(`the SMTP server took over ${patienceMs.all} ms`)), patienceMs.all);
    const send = (): void =>
      connection.send(envelope, body, (error) => {
        if (error) return fail(error);
        clearTimeout(late);
        connection.quit();
        resolve();
      });
    connection.once("error", fail); // later ones find the promise completed
    connection.on("error", () => undefined);
    connection.once("end", () => fail(new Error("the SMTP server closed the connection")));
    connection.connect((error) => {
      if (error) return fail(error);
      if (auth === undefined) return send();
      connection.login({ credentials: auth }, (refused) => (refused ? fail(refused) : send()));
    });
  });
}

/**
 * What an error leaves possible. The server's reply decides: 4xx is transient; 5xx for the receiver or the mail is
 * permanent. An earlier 5xx (greeting, login, sender) is about the set-up, not the mail: every mail would be refused,
 * so they wait.
 */
function kindOf(error: Error, bodyWasRead: boolean): SmtpFaultKind {
  const { responseCode, command = "", code } = error as { responseCode?: number; command?: string; code?: string };
  if (responseCode !== undefined)
    return responseCode >= 500 && /^(RCPT TO|DATA)$/.test(command) ? "permanent" : "transient";
  if (code === "EENVELOPE" || code === "EMESSAGE") return "permanent"; // nodemailer rejects the address or the mail
  return bodyWasRead ? "undecided" : "transient";
}

/** Prints mails instead of sending them. For one machine only: whoever reads them can use their links. */
export function printedMail(print: (text: string) => void): SmtpServer {
  return {
    send({ to, subject, text }) {
      const lines = ["", `To: ${to}`, `Subject: ${subject}`, "", ...text.split("\n"), ""];
      print(lines.map(escaped).join("\n"));
      return Promise.resolve();
    },
  };
}
