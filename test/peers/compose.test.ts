// The image and the compose file on a real Docker engine, as README.md starts them: the image built from its
// Dockerfile, its user and its file system, the system coming to health, the demo, the gateway's calls from outside, a
// bridge that was told another fleet's id, plain gRPC, a killed worker. The containers run under a project of their
// own, on free ports, and are gone at the end with their volumes. The image `authfleet` stays.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { freePort } from "../../stack/ports.ts";
import { type Answer, connectGateway, type Gateway } from "../bridge/gateway.ts";
import { until } from "../support/until.ts";
import { newUser, type TestUser } from "../support/users.ts";
import { type Composed, composed, type Engine, findEngine, noEngine } from "./docker.ts";

const minute = 60_000;
const processes = ["worker", "relay", "mailer", "bridge"];
const up = ["-d", "--build", "--wait", "--scale", "worker=2"];
/** The thumbprint of a key that no fleet has. */
const stranger = "b917Uo0YbOJGxKEONUIxEtQyxrY1jFVwDoEDvbSTbMs";

let engine: Engine;
let system: Composed;
let gateway: Gateway;
/** The last is the first to run. */
const endings: (() => unknown)[] = [];
beforeAll(async () => {
  engine = await findEngine();
  endings.push(engine.stop);
  system = await composed(engine);
  endings.push(system.remove);
  await system.up(up);
  gateway = await connectGateway(`127.0.0.1:${system.ports.grpc}`);
  endings.push(gateway.close);
}, 26 * minute);
afterAll(async () => {
  for (const ending of endings.reverse()) await ending();
}, 8 * minute);

interface Inspected {
  Config: { User: string };
  HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[] };
  State: { Health: { Status: string } };
}

const inspect = async (id: string): Promise<Inspected> =>
  (JSON.parse(await engine.docker(["inspect", id])) as Inspected[])[0]!;
const said = (error: unknown): string => (error as Error).message;

/** What a process says on its HTTP port, asked in its own container. */
async function ask(id: string, path: string): Promise<{ status: number; body: string }> {
  const url = JSON.stringify(`http://127.0.0.1:8080${path}`);
  const script = `const r = await fetch(${url}); console.log(JSON.stringify({ status: r.status, body: await r.text() }))`;
  return JSON.parse(await engine.docker(["exec", id, "node", "--input-type=module", "-e", script]));
}

/** As until(), but asking costs a process: not more often than every second. */
function eventually(what: string, ask: () => Promise<boolean>): Promise<void> {
  const seldom = async (): Promise<boolean> => (await ask()) || (await sleep(1000, false));
  return until(what, seldom, 3 * minute);
}

test("where no engine answers, and none can be started, it is said in one sentence", async () => {
  const env = { PATH: process.env["PATH"], DOCKER_HOST: "unix:///nowhere/docker.sock" };
  await expect(findEngine(env)).rejects.toThrow(noEngine);
  const failing = { ...env, AUTH_TEST_DOCKER_UP: "echo it is away >&2; false" };
  await expect(findEngine(failing)).rejects.toThrow(/^AUTH_TEST_DOCKER_UP brought up no Docker engine: it is away$/);
});

describe("the image", () => {
  test("is built from the Dockerfile, and runs as user and group 1000 unless told otherwise", async () => {
    expect((await inspect("authfleet")).Config.User).toBe("1000:1000");
    const id = (...args: string[]) => engine.docker(["run", "--rm", ...args, "--entrypoint", "id", "authfleet"]);
    expect(await id()).toMatch(/^uid=1000\(\w+\) gid=1000\(\w+\)/);
    expect(await id("--user", "0")).toMatch(/^uid=0/); // the control
  });

  test("lists what it can do when it is run as it is", async () => {
    expect(await engine.docker(["run", "--rm", "authfleet"])).toMatch(/worker[\s\S]*relay[\s\S]*bridge[\s\S]*migrate/);
  });
});

describe("docker compose up", () => {
  test("comes to health in every process, with as many workers as were asked for", async () => {
    for (const kind of processes) {
      const ids = await system.containersOf(kind);
      expect([kind, ids.length]).toEqual([kind, kind === "worker" ? 2 : 1]);
      for (const id of ids) expect([kind, (await inspect(id)).State.Health.Status]).toEqual([kind, "healthy"]);
    }
  });

  test(
    "runs every process without rights, on a file system that nobody in it can write to",
    async () => {
      const write = ["sh", "-c", "touch /app/x /tmp/x"];
      for (const kind of processes) {
        const [id = ""] = await system.containersOf(kind);
        const { Config, HostConfig } = await inspect(id);
        expect([kind, Config.User, HostConfig]).toEqual([
          kind,
          "1000:1000",
          expect.objectContaining({ ReadonlyRootfs: true, CapDrop: ["ALL"] }),
        ]);
        const process = await engine.docker(["exec", id, "cat", "/proc/1/status"]);
        expect(process).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
        expect(process).toMatch(/^CapEff:\t0{16}$/m);
        expect(process).toMatch(/^NoNewPrivs:\t1$/m);
        await expect(engine.docker(["exec", "--user", "0", id, ...write])).rejects.toThrow(/Read-only file system/);
      }
      await engine.docker(["run", "--rm", "--user", "0", "--entrypoint", write[0]!, "authfleet", ...write.slice(1)]); // the control
    },
    4 * minute,
  );

  test(
    "is the system that the demo goes through",
    async () => {
      const shown = await system.compose(["run", "--rm", "-T", "ctl", "demo"], 3 * minute);
      expect(shown).toMatch(/\d+ steps in .*signing up.*a role given and taken.*logging out with effect at once/);
    },
    4 * minute,
  );
});

/** The body of the record that the platform's mailer reads, by Kafka's own consumer. */
async function confirmationToken({ username }: TestUser): Promise<string> {
  const consumer = "/opt/kafka/bin/kafka-console-consumer.sh --bootstrap-server kafka:19092";
  const command = `${consumer} --topic auth --from-beginning --timeout-ms 10000`;
  const records = await system.compose(["exec", "-T", "kafka", "sh", "-c", command], 2 * minute);
  const mails = records.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  return mails.find((mail) => mail.username === username).token;
}

interface Session {
  access_token: string;
  cookie: { value: string };
}

async function ok(method: string, request: object): Promise<unknown> {
  const { status, details, reply } = await gateway.call(method, request, { deadlineMs: minute });
  expect({ method, status, details }).toEqual({ method, status: "OK", details: "" });
  return reply;
}

async function signedUp(): Promise<TestUser & { session: Session }> {
  const account = newUser("dk");
  const { login, password, username, email } = account;
  expect(await ok("CreateUser", { login, password, username, email })).toEqual({ success: true });
  const session = (await ok("RegistrationUser", { token_pod: await confirmationToken(account) })) as Session;
  return { ...account, session };
}

let account: TestUser & { session: Session };
test(
  "the gateway reaches it by the published port: a user signs up, logs in, refreshes, logs out",
  async () => {
    account = await signedUp();
    const { login, password } = account;
    const { access_token, cookie } = (await ok("Authenticate", { login, password })) as Session;
    const user = { login, is_active: true, is_verified: true, role: "user" };
    expect(await ok("CurrentUser", { access_token })).toMatchObject(user);
    await ok("RefreshToken", { refresh_token: cookie.value });
    await ok("LogOutUser", { token_pod: access_token });
    const after = await gateway.call("CurrentUser", { access_token });
    expect(after).toMatchObject({ status: "INVALID_ARGUMENT", code: "SESSION_REVOKED" });
  },
  3 * minute,
);

describe("compose's bridge", () => {
  /** Another one, as compose has it but for these variables. */
  async function started(env: Record<string, string>): Promise<{ id: string; address: string }> {
    const port = await freePort();
    const variables = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    const publish = ["-p", `127.0.0.1:${port}:50051`];
    const id = await system.compose(["run", "-d", "-T", "--no-deps", ...publish, ...variables, "bridge"], 2 * minute);
    return { id: id.trim(), address: `127.0.0.1:${port}` };
  }
  const readiness = ({ id }: { id: string }) => ask(id, "/readyz").catch(() => ({ status: 0, body: "" }));

  test(
    "takes no key with another fleet's id, is not ready and says why; with the fleet's it is ready",
    async () => {
      const fleetId = (await system.compose(["exec", "-T", "bridge", "cat", "/run/fleet/id"])).trim();
      expect(fleetId).not.toBe(stranger);
      const [deceived, sound] = [
        await started({ AUTH_FLEET_ID_FILE: "", AUTH_FLEET_ID: stranger }),
        await started({ AUTH_FLEET_ID_FILE: "", AUTH_FLEET_ID: fleetId }), // the control
      ];
      await eventually("the one is ready", async () => (await readiness(sound)).status === 200);
      const why = /No key on auth\.key counts: \S+ has no certificate of the fleet's root key\..*AUTH_FLEET_ID/;
      await eventually("the other says why it is not", async () => why.test((await readiness(deceived)).body));
      expect(await readiness(deceived)).toMatchObject({ status: 503 });

      const keys = ({ id }: { id: string }) => ask(id, "/.well-known/jwks.json");
      expect(await keys(deceived)).toMatchObject({ status: 503 });
      expect(JSON.parse((await keys(sound)).body).keys.length).toBeGreaterThan(0);

      const { login, password } = account;
      const answers: Answer[] = [];
      for (const { address } of [deceived, sound]) {
        const own = await connectGateway(address);
        answers.push(await own.call("Authenticate", { login, password }, { deadlineMs: minute }));
        own.close();
      }
      expect(answers[0]).toMatchObject({ status: "UNAVAILABLE", details: expect.stringMatching(why) });
      expect(answers[1]).toMatchObject({ status: "OK" });
      await engine.docker(["rm", "-f", deceived.id, sound.id]);
    },
    8 * minute,
  );

  test(
    "serves plain gRPC only because compose says so",
    async () => {
      const untold = ["run", "--rm", "-T", "--no-deps", "-e", "AUTH_GRPC_PLAINTEXT=false", "bridge"];
      const refusal = await system.compose(untold, minute).then(String, said);
      expect(refusal).toMatch(/AUTH_GRPC_HOST .* would take passwords in the open.*AUTH_GRPC_PLAINTEXT=true/);
      await eventually("the control: it serves", async () => (await gateway.health("auth.Auth")) === "SERVING");
    },
    5 * minute,
  );
});

describe("docker kill -s KILL", () => {
  const callers = 4;
  const each = 12;

  test(
    "of a worker while calls run loses no answer; of both, there is none until the next up",
    async () => {
      const { login, password, session } = account;
      const pending = new Set<Promise<Answer>>();
      const answers: Answer[] = [];
      const one = async (index: number): Promise<void> => {
        const [method, request] =
          index % 2 === 0
            ? ["Authenticate", { login, password }]
            : ["RefreshToken", { refresh_token: session.cookie.value }];
        const call = gateway.call(method as string, request as object, { deadlineMs: 2 * minute });
        pending.add(call);
        answers.push(await call);
        pending.delete(call);
      };
      const caller = async (): Promise<void> => {
        for (let index = 0; index < each; index += 1) await one(index);
      };
      const calls = Promise.all(Array.from({ length: callers }, caller));
      await until("calls are answered and others wait", () => answers.length >= callers && pending.size > 0, minute);
      const [first = "", second = ""] = await system.containersOf("worker");
      await engine.docker(["kill", "-s", "KILL", first]);
      expect(pending.size).toBeGreaterThan(0);
      expect(answers.length).toBeLessThan(callers * each);
      await calls;
      expect(answers.filter(({ status }) => status !== "OK")).toEqual([]);
      expect(answers).toHaveLength(callers * each);

      await engine.docker(["kill", "-s", "KILL", second]); // the control: nobody else answers
      const { status } = await gateway.call("Authenticate", { login, password }, { deadlineMs: 5000 });
      expect(["DEADLINE_EXCEEDED", "UNAVAILABLE"]).toContain(status);
      await system.up(up);
      await ok("Authenticate", { login, password });
    },
    12 * minute,
  );
});

test(
  "nothing of it is left afterwards: no container, no volume, no network",
  async () => {
    const left = async () => {
      const filter = ["--quiet", "--filter", `label=com.docker.compose.project=${system.project}`];
      const lists = [
        ["ps", "--all"],
        ["volume", "ls"],
        ["network", "ls"],
      ];
      return await Promise.all(
        lists.map(async (list) => (await engine.docker([...list, ...filter])).split("\n").length - 1),
      );
    };
    expect((await left()).every((count) => count > 0)).toBe(true); // the control
    await system.remove();
    expect(await left()).toEqual([0, 0, 0]);
  },
  5 * minute,
);
