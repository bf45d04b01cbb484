// A side of a row as a process of its own, so that requester and responder share no event loop: the parent calls, the
// child answers over IPC. The child ends with its parent's channel. Not for records under measurement: those go through
// Kafka or gRPC only.
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";

export type Methods = Record<string, (argument: never) => unknown>;

export interface Child {
  readonly pid: number;
  call<T>(method: string, argument?: unknown): Promise<T>;
  /** In order: the child writes its profile, if it makes one. */
  end(): Promise<void>;
}

interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

/** @param file beside this one @param options handed to the child as its first argument */
export function startChild(file: string, options: object, execArgv: string[] = []): Child {
  const child = fork(join(import.meta.dirname, file), [JSON.stringify(options)], {
    execArgv: [...execArgv, "--disable-warning=ExperimentalWarning"],
    env: { ...process.env, UV_THREADPOOL_SIZE: "8" },
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  child.on("message", ({ id, value, error }: Answer) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(`${file}: ${error}`));
  });
  child.once("exit", () => {
    for (const call of waiting.values()) call.reject(new Error(`${file} ended`));
    waiting.clear();
  });
  let last = 0;
  return {
    pid: child.pid!,
    call<T>(method: string, argument?: unknown): Promise<T> {
      const answer = Promise.withResolvers<unknown>();
      last += 1;
      waiting.set(last, answer);
      child.send({ id: last, method, argument });
      return answer.promise as Promise<T>;
    },
    end: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.disconnect();
  await gone;
}

export function childOptions<T>(): T {
  return JSON.parse(process.argv[2] ?? "{}") as T;
}

/** The child's side. */
export function answer(methods: Methods): void {
  process.on("message", ({ id, method, argument }: { id: number; method: string; argument: unknown }) => {
    Promise.resolve()
      .then(() => methods[method]!(argument as never))
      .then(
        (value) => process.send?.({ id, value }),
        (error: unknown) =>
          process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
      );
  });
  process.once("disconnect", () => process.exit(0));
}
