// TLS and SASL with a broker that asks for them: what the configuration offers lets in, and what is wrong is said in
// one sentence. The broker has three listeners: without TLS (another node would use it), with TLS and a password, and
// with TLS and a certificate of the client's.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KafkaFault } from "../../src/kafka/faults.ts";
import { connectKafka, type KafkaDriverName } from "../../src/kafka/kafka.ts";
import type { KafkaPort, KafkaSettings } from "../../src/kafka/port.ts";
import { fewPartitions } from "../../src/kafka/split-fetch.ts";
import { selfSigned } from "../bridge/certificate.ts";
import { startBroker } from "../support/cluster.ts";
import { sharedFleet } from "../support/fleet-addresses.ts";
import { quiet } from "../support/logger.ts";
import { run } from "../support/processes.ts";
import { ownFolder } from "../support/stack.ts";
import { driversOfRun, makeReader, record, spec } from "./real-kafka.ts";

const broker = selfSigned();
const client = selfSigned();
const username = "alice";
const password = "p=ss w:rd";
let addresses: Record<string, string>;
let stop: () => Promise<void>;

const login = (module: string, more = "") => `org.apache.kafka.common.security.${module} required${more};`;

beforeAll(async () => {
  const dir = ownFolder("secure");
  const keyStore = join(dir, "broker.pem");
  const trustStore = join(dir, "clients.pem");
  writeFileSync(keyStore, broker.key + broker.cert, { mode: 0o600 });
  writeFileSync(trustStore, client.cert);
  const started = await startBroker(dir, {
    listeners: ["SASL_SSL", "SSL"],
    format: ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((each) => [
      "--add-scram",
      `${each}=[name=${username},password="${password}"]`,
    ]),
    properties: {
      "ssl.keystore.type": "PEM",
      "ssl.keystore.location": keyStore,
      "ssl.truststore.type": "PEM",
      "ssl.truststore.location": trustStore,
      "listener.name.ssl.ssl.client.auth": "required",
      "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
      "listener.name.sasl_ssl.plain.sasl.jaas.config": login(
        "plain.PlainLoginModule",
        ` user_${username}="${password}"`,
      ),
      "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": login("scram.ScramLoginModule"),
      "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": login("scram.ScramLoginModule"),
    },
  });
  ({ addresses } = started);
  stop = () => started.node.kill();
}, 60_000);
afterAll(() => stop());

type Mechanism = NonNullable<KafkaSettings["sasl"]>["mechanism"];
const mechanisms: Mechanism[] = ["plain", "scram-sha-256", "scram-sha-512"];

describe.each(driversOfRun)("with %s", (driver: KafkaDriverName) => {
  const opened: KafkaPort[] = [];
  afterAll(() => Promise.all(opened.map((each) => each.close())));

  function connect(listener: "SASL_SSL" | "SSL", more: Pick<KafkaSettings, "tls" | "sasl">): KafkaPort {
    const brokers = [addresses[listener]!];
    const kafka = connectKafka({ driver, brokers, clientId: "secure", prefix: `${driver}.`, ...more }, quiet);
    opened.push(kafka);
    return kafka;
  }

  async function carries(kafka: KafkaPort, topic: string): Promise<void> {
    await kafka.ensureTopics([spec(topic, fewPartitions + 1)]); // so many are fetched over two connections
    const { consumption, values, has } = makeReader(kafka, [topic]);
    await kafka.produce([record(topic, "over TLS", { partition: 0 })]);
    await has(1);
    await kafka.produce([
      record(topic, "again", { partition: 0 }),
      record(topic, "elsewhere", { partition: fewPartitions }),
    ]);
    await has(3);
    expect(values().sort()).toEqual(["again", "elsewhere", "over TLS"]);
    await consumption.commit([{ topic, partition: 0, offset: 1n }]);
    await consumption.close();
  }

  const faultOf = (kafka: KafkaPort) =>
    kafka.ping().then(
      () => undefined,
      (error: unknown) => error as KafkaFault,
    );

  test.each(mechanisms)("%s over TLS lets in, produce, read and commit", async (mechanism) => {
    await carries(
      connect("SASL_SSL", { tls: { ca: broker.cert }, sasl: { mechanism, username, password } }),
      mechanism,
    );
  });

  test("a certificate of ours lets in where brokers ask for one", async () => {
    await carries(connect("SSL", { tls: { ca: broker.cert, ...client } }), "certified");
  });

  test.each(mechanisms.slice(0, 2))("a wrong password for %s is said to be that", async (mechanism) => {
    const sasl = { mechanism, username, password: "wrong" };
    const fault = await faultOf(connect("SASL_SSL", { tls: { ca: broker.cert }, sasl }));
    expect(fault).toMatchObject({ name: "KafkaFault", kind: "not-authenticated" });
    expect(fault!.why).toMatch(/authentication failed.*invalid (credentials|username or password)/i);
    expect(fault!.message).not.toContain("wrong");
  });

  test("a certificate that we do not know is said to be that; the same with its authority is let in", async () => {
    const fault = await faultOf(connect("SSL", { tls: client }));
    expect(fault).toMatchObject({ name: "KafkaFault", kind: "not-authenticated" });
    expect(fault!.why).toMatch(/self-signed certificate/);
    expect(await faultOf(connect("SSL", { tls: { ca: broker.cert, ...client } }))).toBeUndefined();
  });

  test("a worker that is not let in ends with that sentence", async () => {
    const env = {
      ...sharedFleet().env,
      AUTH_KAFKA_DRIVER: driver,
      AUTH_KAFKA_BROKERS: addresses["SASL_SSL"]!,
      AUTH_KAFKA_TLS: "true",
      AUTH_KAFKA_TLS_CA: broker.cert,
      AUTH_KAFKA_SASL_MECHANISM: "scram-sha-512",
      AUTH_KAFKA_SASL_USERNAME: username,
      AUTH_KAFKA_SASL_PASSWORD: "wrong",
    };
    const ended = run(["worker"], { env, folder: ownFolder(`not-let-in-${driver}`) });
    await expect(ended).rejects.toThrow(/worker ended with 1:.*not-authenticated: .*authentication failed/is);
  });
});
