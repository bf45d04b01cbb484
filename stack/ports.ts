// Ports of the stack on 127.0.0.1. Order of choice: the one a former run used for the same wish, the preferred one, any
// free one. Promises: a preferred port that is taken is replaced and said so; no port is given out twice by one
// process. A free port may still be taken by others before it is used: then the service fails at its start and says so.
// Free ports come from below the range the kernel gives to outgoing connections: a client that tries a stopped broker's
// port again and again would sooner or later be connected to itself there, and the broker could not come back.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { StackFailure } from "./failure.ts";
import type { Report } from "./progress.ts";

const LOWEST_FREE = 10_000;
const HIGHEST_FREE = 32_000;
const TRIES = 200;

const given = new Set<number>();

export interface Ports {
  /** @param preferred none: any free port will do */
  choose(name: string, preferred?: number): Promise<number>;
}

interface Choice {
  readonly preferred: number | null;
  readonly port: number;
}

/** @param file where the choices of this run are kept for the next */
export function openPorts(file: string, report: Report): Ports {
  const former = readChoices(file);
  const now: Record<string, Choice> = {};
  return {
    async choose(name, preferred) {
      const port = await pick(name, { preferred, former: former[name], report });
      now[name] = { preferred: preferred ?? null, port };
      writeFileSync(`${file}.new`, `${JSON.stringify({ ...former, ...now }, null, 2)}\n`);
      renameSync(`${file}.new`, file);
      return port;
    },
  };
}

interface Wish {
  readonly preferred: number | undefined;
  readonly former: Choice | undefined;
  readonly report: Report;
}

async function pick(name: string, wish: Wish): Promise<number> {
  const again = wish.former?.preferred === (wish.preferred ?? null) ? wish.former.port : undefined;
  for (const port of [again, wish.preferred]) {
    if (port !== undefined && (await take(port))) return port;
  }
  const port = await freePort();
  if (wish.preferred !== undefined) wish.report(`port ${wish.preferred} is taken: ${name} gets ${port} instead`);
  return port;
}

/** A port nothing listens on, and that this process has not given out before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = LOWEST_FREE + Math.floor(Math.random() * (HIGHEST_FREE - LOWEST_FREE));
    if (await take(port)) return port;
  }
  throw new StackFailure("No free TCP port was found on 127.0.0.1: end some of the programs that listen there.");
}

async function take(port: number): Promise<boolean> {
  if (given.has(port) || !(await isFree(port))) return false;
  given.add(port);
  return true;
}

/** Both addresses are tried: one program may hold the port on this address only, another on all. */
export async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, "127.0.0.1")) && (await canListen(port, "0.0.0.0"));
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function readChoices(file: string): Record<string, Choice> {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Record<string, Choice>;
  } catch {
    return {};
  }
}
