// What an SMTP server's answers mean: whether the mail may be sent again, never will be taken, or may have gone out.
import { type AddressInfo, createServer } from "node:net";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { SMTPServerOptions } from "smtp-server";
import { SmtpFault, smtpServer } from "../../src/mail/smtp.ts";
import { selfSigned } from "../bridge/certificate.ts";
import { startSmtp, type TestSmtp, textPart } from "../support/smtp.ts";

let smtp: TestSmtp | undefined;
afterEach(async () => {
  await smtp?.close();
  smtp = undefined;
});

const to = "alice@example.com";
const mail = {
  mailId: "0190b8a5-0000-7000-8000-000000000000",
  to,
  at: Date.UTC(2026, 0, 2),
  subject: "Тема",
  text: "First line\n.\nпоследняя",
  html: "<p>First line</p>",
};
const send = (url: string, plaintext = false) => smtpServer(url, "Auth <auth@example.org>", { plaintext }).send(mail);
const url = () => `smtp://127.0.0.1:${smtp!.port}`;

async function faultOf(call: Promise<void>): Promise<string> {
  const fault = await call.then(
    () => "it was sent",
    (error: unknown) => error,
  );
  if (fault instanceof SmtpFault) return fault.kind;
  throw fault instanceof Error ? fault : new Error(String(fault));
}

test("a mail arrives whole, with its id and the mark that it was sent by a program", async () => {
  smtp = await startSmtp();
  await send(url());
  const [taken] = await smtp.to(to);
  expect([taken!.from, textPart(taken!).trim().split(/\r?\n/)]).toEqual([
    "auth@example.org",
    ["First line", ".", "последняя"],
  ]);
  expect(taken!.raw).toMatch(/^Message-ID: <0190b8a5-0000-7000-8000-000000000000@example\.org>\r$/m);
  expect(taken!.raw).toMatch(/^Auto-Submitted: auto-generated\r$/m);
  expect(taken!.raw).toMatch(/^Date: Fri, 02 Jan 2026/m);
  expect(taken!.raw).toMatch(/^Content-Type: multipart\/alternative/m);
});

/** A server that keeps the lines it is told, and takes everything. */
async function listener(): Promise<{ url: string; lines: string[]; close(): void }> {
  const lines: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.write("220 here\r\n");
    socket.on("data", (chunk: Buffer) => {
      const told = chunk.toString("latin1");
      lines.push(...told.split("\r\n"));
      if (told.endsWith("\r\n.\r\n") || !/^[^:]+: /m.test(told))
        socket.write(told.startsWith("DATA") ? "354 go\r\n" : "250 ok\r\n");
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return { url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, lines, close: () => void server.close() };
}

describe("the envelope", () => {
  test("has nothing but the two addresses, in ASCII where their domains are internationalised", async () => {
    const server = await listener();
    await smtpServer(server.url, "Auth <auth@xn--bcher-kva.example>").send({
      ...mail,
      to: "ada@xn--bcher-kva.example",
    });
    server.close();
    expect(server.lines.filter((line) => /^(MAIL|RCPT)/.test(line))).toEqual([
      "MAIL FROM:<auth@xn--bcher-kva.example>",
      "RCPT TO:<ada@xn--bcher-kva.example>",
    ]);
    expect(server.lines.filter((line) => /^(From|To|Message-ID):/i.test(line)).join("\n")).not.toMatch(
      /[^\x20-\x7e\n]/,
    );
  });

  test.each(["ada@example.com>\r\nRCPT TO:<eve@example.com", "ada@example.com\r\nDATA"])(
    "%j is refused for good, and no line of it is told",
    async (bad) => {
      const server = await listener();
      expect(await faultOf(smtpServer(server.url, "auth@example.org").send({ ...mail, to: bad }))).toBe("permanent");
      server.close();
      expect(server.lines.filter((line) => /eve|^DATA/.test(line))).toEqual([]);
    },
  );
});

describe("what is answered", () => {
  test.each([
    ["451 to the receiver", { code: 451, at: "receiver" }, "transient"],
    ["550 to the receiver", { code: 550, at: "receiver" }, "permanent"],
    ["452 to the mail", { code: 452, at: "body" }, "transient"],
    ["554 to the mail", { code: 554, at: "body" }, "permanent"],
    ["nothing, behind the body,", "hang up", "undecided"],
  ] as const)("%s is %s", async (_what, manner, kind) => {
    smtp = await startSmtp();
    smtp.manners.set(to, manner);
    expect(await faultOf(send(url()))).toBe(kind);
    smtp.manners.clear(); // the control: it takes mails
    await send(url());
    expect(smtp.mails).toHaveLength(1);
  });

  test("a connection that is refused, and one that is cut before the body, may be tried again", async () => {
    smtp = await startSmtp();
    const gone = url();
    await smtp.close();
    expect(await faultOf(send(gone))).toBe("transient");
    smtp = await startSmtp({
      onMailFrom(_address, session, callback) {
        void session;
        callback(Object.assign(new Error("closing"), { responseCode: 421 }));
      },
    });
    expect(await faultOf(send(url()))).toBe("transient");
  });
});

describe("a server with a password", () => {
  test("is not told it without TLS", async () => {
    const told: string[] = [];
    smtp = await startSmtp({
      allowInsecureAuth: true,
      onAuth({ username = "" }, _session, callback) {
        told.push(username);
        callback(null, { user: username });
      },
    });
    const address = `smtp://me:secret@127.0.0.1:${smtp.port}`;
    expect(await faultOf(send(address))).toBe("transient");
    expect([told, smtp.mails]).toEqual([[], []]);
    await send(address, true); // the control: AUTH_SMTP_PLAINTEXT
    expect([told, smtp.mails.length]).toEqual([["me"], 1]);
  });

  test("and one without gets no mail without TLS where that is demanded", async () => {
    smtp = await startSmtp();
    expect(await faultOf(send(`${url()}?starttls=required`))).toBe("transient");
    expect(await faultOf(send(`${url()}/?starttls=required`, true))).toBe("transient");
    expect(smtp.mails).toEqual([]);
    await send(url()); // the control
  });

  test("that nobody vouches for is not told it either", async () => {
    const told: string[] = [];
    const onAuth: SMTPServerOptions["onAuth"] = ({ username = "" }, _session, done) => {
      told.push(username);
      done(null, { user: username });
    };
    smtp = await startSmtp({ allowInsecureAuth: true, onAuth }, selfSigned());
    expect(await faultOf(send(`smtps://me:secret@127.0.0.1:${smtp.port}`))).toBe("transient");
    expect([told, smtp.mails]).toEqual([[], []]);
  });
});
