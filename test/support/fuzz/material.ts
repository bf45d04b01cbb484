// What the records of a run are made from: the fleet's schemas, keys and topics, and accounts that may come to harm.
// Gathered as any requester would.
import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import avsc from "avsc";
import { connectRegistry } from "../../../src/bus/avro/schema-store.ts";
import { thumbprint } from "../../../src/bus/seal/seal.ts";
import { commandSchemas } from "../../../src/protocol/generated/schemas.ts";
import { ephemeralPair } from "../seals.ts";
import type { TestFleet } from "../test-fleet.ts";
import { confirmed, loggedIn } from "../users.ts";

type RequestTopic = keyof typeof commandSchemas;

export interface Field {
  name: string;
  type: unknown;
  default?: unknown;
}

export interface RequestShape {
  topic: RequestTopic;
  partitions: number;
  /** Registry id of the request's schema. */
  id: number;
  type: avsc.Type;
  fields: Field[];
  /** Names of the fields that stand only inside the seal. */
  sealed: string[];
  /** How the record key is made: its kind, and the field that it is made of. */
  keyKind: string | undefined;
  keyField: string | undefined;
}

export interface Victim {
  login: string;
  password: string;
  email: string;
  accessToken: string;
  refreshToken: string;
  id: number;
}

export interface Material {
  requests: RequestShape[];
  legacy: { topic: string; partitions: number }[];
  /**
   * Schema ids that exist and are no version of a request's subject, among them one that somebody registered in its
   * name.
   */
  foreignIds: number[];
  /** Bytes of that one: a list of a billion nulls. */
  impostor: { topic: RequestTopic; id: number; value: Buffer };
  sealTo: JsonWebKey & { kid: string };
  ephemeral: ReturnType<typeof ephemeralPair>;
  replyKey: { text: string; thumbprint: string };
  replyTopic: string;
  replyPartitions: number;
  victims: Victim[];
}

const shapeOf = async (
  fleet: TestFleet,
  topic: RequestTopic,
  idOf: (subject: string, schema: object) => Promise<number | undefined>,
): Promise<RequestShape> => {
  const request = commandSchemas[topic].request as unknown as {
    fields: Field[];
    sealedFields?: { name: string }[];
    recordKey?: { kind: string; field: string };
  };
  return {
    topic,
    partitions: (await fleet.kafka.partitionsOf(topic))!,
    id: (await idOf(`${topic}-value`, request))!,
    type: avsc.Type.forSchema(request as unknown as avsc.Schema),
    fields: request.fields,
    sealed: (request.sealedFields ?? []).map(({ name }) => name),
    keyKind: request.recordKey?.kind,
    keyField: request.recordKey?.field,
  };
};

export async function gather(fleet: TestFleet, replyTopic: string, count: number): Promise<Material> {
  const registry = connectRegistry({ url: fleet.env["AUTH_REGISTRY_URL"]! });
  const topics = Object.keys(commandSchemas) as RequestTopic[];
  const [requests, victims, { jwks }] = await Promise.all([
    Promise.all(topics.map((topic) => shapeOf(fleet, topic, registry.idOf))),
    fewAtATime(count, () => victimOf(fleet)),
    fleet.client.request("auth.key.list", {}),
  ]);
  const replies = Object.values(commandSchemas).map(({ reply }) =>
    registry.idOf(`${reply.namespace}.${reply.name}`, reply),
  );
  const topic: RequestTopic = "auth.key.list";
  const nulls = [{ name: "nothing", type: { type: "array", items: "null" } }];
  const impostor = { ...commandSchemas[topic].request, fields: nulls };
  const id = await registry.register(`stranger.${fleet.prefix}value`, impostor, "BACKWARD");
  const { keys } = JSON.parse(jwks) as { keys: (JsonWebKey & { kid: string; use: string })[] };
  const { kty, crv, x, y } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  const replyKey = { kty, crv, x, y };
  return {
    requests,
    legacy: await Promise.all(
      ["delete", "check_verified", "admin_delete_user", "admin_ban_user"].map(async (name) => {
        return { topic: name, partitions: (await fleet.kafka.partitionsOf(name))! };
      }),
    ),
    foreignIds: [id, ...(await Promise.all(replies)).map((each) => each!)],
    impostor: { topic, id, value: Buffer.concat([avsc.Type.forSchema("long").toBuffer(1_000_000_000), Buffer.of(0)]) },
    sealTo: keys.find(({ use }) => use === "enc")!,
    ephemeral: ephemeralPair(),
    replyKey: { text: JSON.stringify(replyKey), thumbprint: thumbprint(replyKey as never) },
    replyTopic,
    replyPartitions: (await fleet.kafka.partitionsOf(replyTopic))!,
    victims,
  };
}

const atATime = 3;

/** A fleet with one worker is soon too busy for more hashes. */
export async function fewAtATime<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count)
    made.push(...(await Promise.all(Array.from({ length: Math.min(atATime, count - made.length) }, make))));
  return made;
}

async function victimOf(fleet: TestFleet): Promise<Victim> {
  const { login, password, email, id } = await confirmed(fleet);
  const { accessToken, refreshToken } = await loggedIn(fleet, { login, username: login, email, password });
  return { login, password, email, accessToken, refreshToken, id };
}
