// A real SMTP server on this machine that keeps what it is given, and refuses, waits or hangs up as a test wishes.
import { createRequire } from "node:module";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { SMTPServerOptions } from "smtp-server";
import { until } from "./until.ts";

// Its CommonJS form: Jest's own loader of ES modules ends with a segmentation fault over the other one (Jest 30.5, Node
// 24.21).
const { SMTPServer } = createRequire(import.meta.url)("smtp-server") as typeof import("smtp-server");

export interface TakenMail {
  from: string;
  to: string;
  /** As it came: headers and body. */
  raw: string;
}

/**
 * What the server does with a mail: takes it, answers with a code, hangs up behind the body, or holds its answer until
 * it is told.
 */
type Manner = "take" | "hang up" | "hold" | { code: number; at: "receiver" | "body" };

export interface TestSmtp {
  port: number;
  mails: TakenMail[];
  /** Bodies that it was given, whatever it said then. */
  readonly bodies: number;
  /** By receiver; "take" where nothing is said. */
  manners: Map<string, Manner>;
  /** Waits for so many mails to the address. */
  to(address: string, wanted?: number): Promise<TakenMail[]>;
  close(): Promise<void>;
}

const codeFault = (responseCode: number): Error => Object.assign(new Error("as the test wishes"), { responseCode });

/**
 * @param options of smtp-server
 * @param front TLS from the start, on this port: by Node itself, because smtp-server's own hangs under Jest
 */
export async function startSmtp(options: SMTPServerOptions = {}, front?: TlsFront): Promise<TestSmtp> {
  const mails: TakenMail[] = [];
  const manners = new Map<string, Manner>();
  const sockets = new Set<Socket>();
  let bodies = 0;
  const mannerOf = (address: string): Manner => manners.get(address) ?? "take";
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    logger: false,
    ...options,
    onRcptTo({ address }, _session, callback) {
      const manner = mannerOf(address);
      callback(typeof manner === "object" && manner.at === "receiver" ? codeFault(manner.code) : null);
    },
    onData(stream, { envelope }, callback) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
      stream.on("end", () => {
        bodies += 1;
        const to = envelope.rcptTo[0]?.address ?? "";
        const manner = mannerOf(to);
        if (manner === "hold") return;
        if (manner === "hang up") for (const socket of sockets) socket.destroy();
        else if (typeof manner === "object" && manner.at === "body") callback(codeFault(manner.code));
        else {
          const from = envelope.mailFrom === false ? "" : envelope.mailFrom.address;
          mails.push({ from, to, raw: Buffer.concat(chunks).toString("utf8") });
          callback(null);
        }
      });
    },
  });
  server.on("error", () => undefined); // of a client that was killed
  server.server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const plain = (server.server.address() as AddressInfo).port;
  const tls = front === undefined ? undefined : await startFront(front, plain, sockets);
  const to = (address: string): TakenMail[] => mails.filter((mail) => mail.to === address);
  return {
    port: tls === undefined ? plain : (tls.address() as AddressInfo).port,
    mails,
    get bodies() {
      return bodies;
    },
    manners,
    async to(address, wanted = 1) {
      await until(`${wanted} mails to ${address}`, () => to(address).length >= wanted, 30_000);
      return to(address);
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      tls?.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export interface TlsFront {
  cert: string;
  key: string;
  port?: number;
}

async function startFront(
  { port = 0, ...certificate }: TlsFront,
  plain: number,
  sockets: Set<Socket>,
): Promise<Server> {
  const front = createTlsServer(certificate, (outside) => {
    const inside = connect(plain, "127.0.0.1");
    sockets.add(outside);
    for (const [socket, other] of [
      [outside, inside],
      [inside, outside],
    ] as const) {
      socket.on("error", () => undefined);
      socket.once("close", () => void other.destroy());
    }
    outside.once("close", () => sockets.delete(outside));
    outside.pipe(inside).pipe(outside);
  });
  front.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => void front.listen(port, "127.0.0.1", resolve));
  return front;
}

/** The text part of a mail, decoded. */
export function textPart({ raw }: TakenMail): string {
  const boundary = /boundary="([^"]+)"/.exec(raw)?.[1];
  const part = raw.split(`--${boundary}`).find((each) => /content-type: text\/plain/i.test(each)) ?? raw;
  const [head = "", ...body] = part.split("\r\n\r\n");
  const text = body.join("\r\n\r\n");
  if (/base64/i.test(head)) return Buffer.from(text, "base64").toString("utf8");
  if (!/quoted-printable/i.test(head)) return text;
  const bytes = text
    .replace(/=\r\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}
