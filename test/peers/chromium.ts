// A Chromium without a window, spoken to by its DevTools protocol over the WebSocket that Node brings: no package is
// needed for it.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { end } from "../support/processes.ts";
import { until } from "../support/until.ts";

type Params = Record<string, unknown>;

interface Answer {
  id?: number;
  method?: string;
  result?: Params;
  error?: { message: string };
}

interface Viewport {
  width: number;
  dark?: boolean;
}

export interface Browser {
  version: string;
  /** Shows a page. @returns what the expression is worth in it */
  look<T>(html: string, viewport: Viewport, expression: string): Promise<T>;
  /** Of the page that is shown, whole. @returns a PNG */
  screenshot(): Promise<Buffer>;
  close(): Promise<void>;
}

const boundMs = 30_000;

/** @param folder for its profile. @throws Error in one sentence where there is no such program */
export async function startChromium(folder: string): Promise<Browser> {
  mkdirSync(folder, { recursive: true });
  const child = spawn(
    "chromium",
    // Its sandbox needs rights that containers do not give. It shows pages of our own and reaches no network.
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--hide-scrollbars",
      "--remote-debugging-port=0",
      `--user-data-dir=${folder}`,
    ],
    { stdio: "ignore" },
  );
  const missing = new Promise<never>((_, reject) =>
    child.once("error", () => reject(new Error("There is no program chromium: see CONTRIBUTING.md."))),
  );
  missing.catch(() => undefined);
  const portFile = join(folder, "DevToolsActivePort");
  await Promise.race([
    missing,
    until("Chromium listens", () => existsSync(portFile) && readFileSync(portFile, "utf8").includes("\n")),
  ]);
  return connect(child, readFileSync(portFile, "utf8").split("\n")[0]!);
}

async function connect(child: ChildProcess, port: string): Promise<Browser> {
  const { Browser: version } = (await (await fetch(`http://127.0.0.1:${port}/json/version`)).json()) as {
    Browser: string;
  };
  // A page of our own: the one that it starts with may still be on its way to something else.
  const created = await fetch(`http://127.0.0.1:${port}/json/new?about:blank`, { method: "PUT" });
  const page = (await created.json()) as { webSocketDebuggerUrl: string };
  const session = await open(page.webSocketDebuggerUrl);
  await session.send("Page.enable");
  const frames = (await session.send("Page.getFrameTree")) as { frameTree: { frame: { id: string } } };
  return {
    version,
    async look<T>(html: string, { width, dark = false }: Viewport, expression: string): Promise<T> {
      await session.send("Emulation.setDeviceMetricsOverride", {
        width,
        height: 900,
        deviceScaleFactor: 1,
        mobile: true,
      });
      const scheme = { name: "prefers-color-scheme", value: dark ? "dark" : "light" };
      await session.send("Emulation.setEmulatedMedia", { features: [scheme] });
      await session.send("Page.setDocumentContent", { frameId: frames.frameTree.frame.id, html });
      const { result } = (await session.send("Runtime.evaluate", { expression, returnByValue: true })) as {
        result: { value: T };
      };
      return result.value;
    },
    async screenshot() {
      const { data } = (await session.send("Page.captureScreenshot", { captureBeyondViewport: true })) as {
        data: string;
      };
      return Buffer.from(data, "base64");
    },
    async close() {
      session.close();
      await end(child);
    },
  };
}

async function open(url: string): Promise<{ send(method: string, params?: Params): Promise<Params>; close(): void }> {
  const socket = new WebSocket(url);
  const waiting = new Map<number, (answer: Answer) => void>();
  let last = 0;
  socket.addEventListener("message", ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error("Chromium does not answer")));
  });
  return {
    send: (method, params = {}) =>
      new Promise((resolve, reject) => {
        last += 1;
        const id = last;
        const late = setTimeout(() => reject(new Error(`${method} took over ${boundMs} ms`)), boundMs);
        waiting.set(id, ({ result, error }) => {
          clearTimeout(late);
          waiting.delete(id);
          if (error === undefined) resolve(result ?? {});
          else reject(new Error(`${method}: ${error.message}`));
        });
        socket.send(JSON.stringify({ id, method, params }));
      }),
    close: () => socket.close(),
  };
}
