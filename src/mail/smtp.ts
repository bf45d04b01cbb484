// Hands a mail to an SMTP server (RFC 5321): the only file that imports nodemailer. One connection for each mail, so
// that a fault is the fault of one mail, and it is known how far that one came.
// Promises: ends within a minute, well or with an SmtpFault that says what may be done. "transient": the server surely
// does not have the mail, try again. "permanent": it refuses this mail. "undecided": the connection ended after the
// mail was given and before the server took it, so it may have gone out. Sends no password without TLS, unless it was
// told that it may.
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
  /** Id of the mail (UUID): its Message-ID, too, by which a receiver tells one that came twice. */
  mailId: string;
  to: string;
  /** Unix ms. */
  at: number;
}

export interface SmtpServer {
  /** @throws SmtpFault */
  send(mail: OutgoingMail): Promise<void>;
}

/** RFC 5321, 4.5.3.2, allows minutes. A mail here is a few KB: a server that takes so long is better asked again. */
const patienceMs = { connect: 10_000, greeting: 10_000, idle: 30_000, all: 60_000 };

/**
 * @param url smtp://user:password@host:port or smtps://; over smtp:// STARTTLS where it is offered, demanded with a
 * user or with ?starttls=required
 * @param from as in a header
 * @param plaintext a user's password may go without TLS where the server offers none
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
    headers: { "Auto-Submitted": "auto-generated" }, // RFC 3834: out-of-office programs do not answer it
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
  const body = Readable.from([bytes]); // read when the server has said that it will take it, and not before
  return new Promise<void>((resolve, reject) => {
    const fail = (thrown: unknown): void => {
      clearTimeout(late);
      const error = asError(thrown);
      reject(new SmtpFault(kindOf(error, body.readableDidRead), error));
      connection.close(); // last, because it says "end" itself
    };
    const late = setTimeout(() => fail(new Error(`the SMTP server took over ${patienceMs.all} ms`)), patienceMs.all);
    const send = (): void =>
      connection.send(envelope, body, (error) => {
        if (error) return fail(error);
        clearTimeout(late);
        connection.quit();
        resolve();
      });
    connection.once("error", fail); // later ones find the promise settled
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
 * What an error leaves open. A reply of the server decides: 4xx may pass; 5xx to the receiver or to the mail is for
 * good. 5xx before that (greeting, login, sender) is not about the mail but about the set-up: every other mail would be
 * refused as well, so they wait.
 */
function kindOf(error: Error, bodyWasRead: boolean): SmtpFaultKind {
  const { responseCode, command = "", code } = error as { responseCode?: number; command?: string; code?: string };
  if (responseCode !== undefined)
    return responseCode >= 500 && /^(RCPT TO|DATA)$/.test(command) ? "permanent" : "transient";
  if (code === "EENVELOPE" || code === "EMESSAGE") return "permanent"; // nodemailer finds the address or the mail impossible
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
