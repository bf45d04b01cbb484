// A fleet that scenarios act on, and whose secrets are noted on the way: what the schemas seal, in requests and in
// replies. Two kinds of requester: one that seals, the client library; and one that does not, as in a migration, for
// the control.
import { randomBytes } from "node:crypto";
import avsc from "avsc";
import { decodeProtectedHeader } from "jose";
import { mergeSealed, openSeal, splitSealed } from "../../src/bus/seal/seal.ts";
import { variables } from "../../src/config/variables.ts";
import { openPool } from "../../src/db/pool.ts";
import { shared } from "../../src/kafka/assigner.ts";
import type { InRecord, OutRecord } from "../../src/kafka/records.ts";
import { loadFleetKeys } from "../../src/keys/fleet-keys.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import { commandSchemas, mailSchema } from "../../src/protocol/generated/schemas.ts";
import { type SealedField, sealedPaths } from "../../src/protocol/secret-fields.ts";
import type { Secret } from "./grep.ts";
import { quiet } from "./logger.ts";
import type { Seen } from "./mailbox.ts";
import { operatorToken } from "./operator.ts";
import { type RawReply, type RawRequest, rawRequests } from "./raw.ts";
import type { ScenarioRunner } from "./scenarios.ts";
import type { TestFleet } from "./test-fleet.ts";
import { until } from "./until.ts";

type Topic = RawRequest["topic"];
type Answer = Record<string, unknown>;
type Ask = (topic: Topic, input: object) => Promise<Answer>;

/** Sealed, and no secret: what it is stands in clear elsewhere, as documented. */
export const personal: Record<string, string> = {
  username: "auth.account.register has it in clear",
  email: "auth.mail and the record key have it in clear",
  newEmail: "auth.mail has it in clear",
  login: "the record key, in clear",
  target: "a login or an id; both are record keys",
  document: "everything the service holds about its reader, without a secret",
  search: "the beginning of a login or an address",
  cursor: "a login or an address",
};

export interface SecretScenarioRunner extends ScenarioRunner {
  /** By topic, side and field; those of mails and keys by their own names. */
  secrets: Secret[];
  close(): Promise<void>;
}

export interface ScenarioOptions {
  /** Secrets go in clear, which the fleet must allow. */
  bare: boolean;
  /** Gets each request that was sent in clear, with its correlation id, and its reply. */
  sent?(request: RawRequest, reply: RawReply): void;
}

export async function secretScenarios(
  fleet: TestFleet,
  { bare, sent }: ScenarioOptions,
): Promise<SecretScenarioRunner> {
  const keys = await fleetKeys(fleet);
  const secrets: Secret[] = keys.secrets;
  const opened = new Set<Seen>();
  const sealing = (topic: Topic, input: object): Promise<unknown> => fleet.client.request(topic, input as never);
  const send = bare ? await bareRequester(fleet, sent) : (sealing as Ask);

  const ask: Ask = async (topic, input) => {
    const { request, reply } = sealedFields(topic);
    secrets.push(...noted(`${topic} request`, input, request));
    const answer = await send(topic, input);
    secrets.push(...noted(`${topic} reply`, answer, reply));
    return answer;
  };
  const note = (name: string, value: string): void => void secrets.push({ name, value: lastPart(value) });
  return {
    secrets,
    note,
    ask: ask as ScenarioRunner["ask"],
    async refused(topic, input) {
      const answer = await ask(topic as Topic, input).catch((error: unknown) => error);
      if (answer instanceof Refusal) return answer.code;
      throw answer instanceof Error ? answer : new Error(`${topic} was not refused`);
    },
    async mailedToken(email) {
      const record = await fleet.mails.last("auth.mail", (each) => !opened.has(each) && decodeMail(each).to === email);
      opened.add(record);
      const { sealed } = decodeMail(record);
      const { token } = await openSeal(sealed, keys.opening(decodeProtectedHeader(sealed).kid!));
      note("auth.mail token", String(token));
      return String(token);
    },
    operatorToken: () => operatorToken(fleet),
    close: () => keys.close(),
  };
}

interface Mail {
  to: string;
  sealed: string;
}

const mailType = avsc.Type.forSchema(mailSchema as unknown as avsc.Schema);
const decodeMail = ({ value }: Seen): Mail => mailType.fromBuffer(value!.subarray(5)) as Mail;

interface LooseSchema {
  name: string;
  namespace: string;
  sealedFields?: SealedField[];
  fields: { name: string; type: unknown; default?: unknown }[];
}

function shapeOf(topic: Topic) {
  const { request, reply } = commandSchemas[topic] as unknown as { request: LooseSchema; reply: LooseSchema };
  const result = (reply.fields[0]!.type as LooseSchema[])[0]!;
  return { request, result };
}

export function sealedFields(topic: Topic): { request: string[]; reply: string[] } {
  const { request, result } = shapeOf(topic);
  return { request: sealedPaths(request), reply: sealedPaths(result) };
}

/** Of a token its secret part alone: its id is none, and a JWT's claims stand in many places. */
const lastPart = (value: string): string => value.slice(value.lastIndexOf(".") + 1);

/** Six digits stand everywhere by chance, and are worth nothing after a minute; an empty text stands for none. */
const canBeFound = (value: string): boolean => value !== "" && !/^\d{6}$/.test(value);

function noted(where: string, record: object, paths: readonly string[]): Secret[] {
  return paths.flatMap((path) => {
    const names = path.split(".");
    const value = names.reduce<unknown>((inner, name) => (inner as Answer | null | undefined)?.[name], record);
    const values = (Array.isArray(value) ? value : [value]).filter((each) => typeof each === "string");
    const known = Object.hasOwn(personal, names.at(-1)!);
    return known ? [] : values.filter(canBeFound).map((each) => ({ name: `${where} ${path}`, value: lastPart(each) }));
  });
}

/** The fleet's own keys, as its mailer and authctl hold them. */
async function fleetKeys({ env }: TestFleet) {
  const pool = await openPool({ url: env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
  const loaded = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(env["AUTH_MASTER_KEY"]!), quiet);
  const opening = (kid: string) => loaded.keyring().opening(kid)!;
  const sealing = opening(loaded.keyring().sealing().kid).export({ format: "jwk" });
  return {
    opening,
    secrets: [
      {
        name: "the master key",
        value: Buffer.from(env["AUTH_MASTER_KEY"]!.split(":")[1]!, "base64").toString("base64url"),
      },
      { name: "the private sealing key", value: sealing.d! },
    ],
    async close() {
      loaded.stop();
      await pool.end();
    },
  };
}

/** Writes what is sealed as bare JSON, and brings no reply key. */
async function bareRequester(fleet: TestFleet, sent?: ScenarioOptions["sent"]): Promise<Ask> {
  const raw = await rawRequests(fleet);
  return async (topic, input) => {
    const { request, result } = shapeOf(topic);
    const defaults = request.fields.flatMap((field) => ("default" in field ? [[field.name, field.default]] : []));
    const all = { ...(Object.fromEntries(defaults) as object), ...input };
    const { clear } = splitSealed(all, sealedPaths(request));
    const fields = request.sealedFields === undefined ? clear : { ...clear, sealed: JSON.stringify(all) };
    const asked: RawRequest = { topic, key: null, fields, headers: { kafka_correlationId: randomBytes(16) } };
    const reply = await raw.ask(asked);
    sent?.(asked, reply);
    if (reply.outcome === "ok") return mergeSealed(reply.body[`${result.namespace}.${result.name}`]!, reply.secrets);
    const { code, message } = reply.body["auth.Refusal"] as unknown as Pick<Refusal, "code" | "message">;
    throw new Refusal(code, { message });
  };
}

/** What stands on the topics, from their beginnings. */
export async function recordsOf(fleet: TestFleet, topics: string[]): Promise<InRecord[]> {
  const ends = await Promise.all(topics.map((topic) => fleet.kafka.endOffsets(topic)));
  const wanted = ends.flatMap((offsets) => [...offsets.values()]).reduce((sum, end) => sum + Number(end), 0);
  const records: InRecord[] = [];
  const consumption = fleet.kafka.consume({
    group: `test.${systemClock.now()}`,
    topics,
    from: "earliest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords: (some) => void records.push(...some),
  });
  await until("all records are read", () => records.length >= wanted);
  await consumption.close();
  return records;
}

/** Header of what `malformed` makes, and of its dead letters. */
export const malformedMark = "test-malformed";

/**
 * A request's record, malformed in four ways, and without the address of a reply, so that each is a dead letter; what
 * it holds stays in it.
 */
export function malformed({ topic, key, value, headers }: InRecord): OutRecord[] {
  const given = Object.entries(headers).flatMap(([name, each]) => (each ? [[name, each]] : []));
  const nobody = {
    ...Object.fromEntries(given.filter(([name]) => name !== "kafka_replyTopic")),
    [malformedMark]: "yes",
  };
  const values = [value!.subarray(0, -7), Buffer.concat([value!, Buffer.from("garbage")]), value!.subarray(5), value!];
  return values.map((each) => ({ topic, key, headers: nobody, value: each }));
}
