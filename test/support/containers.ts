// The stack as Docker containers (AUTH_TEST_STACK=containers), by testcontainers: the images that docker-compose.yml
// runs. Kafka gets a fixed port, because it must announce the address by which the tests reach it before it has
// started. PostgreSQL is started first: the registry keeps its schemas there, over a network of their own.
import { PostgreSqlContainer, type StartedPostgreSqlContainer } from "@testcontainers/postgresql";
import { GenericContainer, Network, type StartedNetwork, type StartedTestContainer, Wait } from "testcontainers";
import { freePort } from "../../stack/ports.ts";
import type { RunningStack, TestStack } from "./stack.ts";

const IMAGES = {
  kafka: "apache/kafka:4.1.1",
  registry: "apicurio/apicurio-registry:3.0.9",
  postgres: "postgres:18-bookworm",
};
const DATABASE = "postgres";
const REGISTRY_PORT = 8080;
const CONNECTIONS = 400;

export async function startContainers(): Promise<RunningStack> {
  const started: { stop(): Promise<unknown> }[] = [];
  // Last started, first stopped: the network goes when nobody is in it.
  const stop = async () => {
    for (const each of started.splice(0).reverse()) await each.stop();
  };
  const keep: Keep = (each) => {
    started.push(each);
    return each;
  };
  try {
    return { addresses: await startAll(keep), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startAll(keep: Keep): Promise<TestStack> {
  const network = keep(await new Network().start());
  const port = await freePort();
  const outcomes = await Promise.allSettled([startStorage(network, keep), kafkaContainer(port).then(keep)]);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  const [storage, kafka] = outcomes as [PromiseFulfilledResult<Storage>, PromiseFulfilledResult<StartedTestContainer>];
  return { kafka: `${kafka.value.getHost()}:${port}`, ...storage.value };
}

type Keep = <T extends { stop(): Promise<unknown> }>(each: T) => T;
type Storage = Pick<TestStack, "database" | "registry">;

async function startStorage(network: StartedNetwork, keep: Keep): Promise<Storage> {
  const postgres = keep(await postgresContainer(network));
  await postgres.exec(["psql", "-U", "auth", "-c", "CREATE DATABASE registry"]);
  const registry = keep(await registryContainer(network));
  return {
    registry: `http://${registry.getHost()}:${registry.getMappedPort(REGISTRY_PORT)}/apis/ccompat/v7`,
    database: postgres.getConnectionUri().replace(/^postgres:/, "postgresql:"),
  };
}

function postgresContainer(network: StartedNetwork): Promise<StartedPostgreSqlContainer> {
  return new PostgreSqlContainer(IMAGES.postgres)
    .withNetwork(network)
    .withNetworkAliases(DATABASE)
    .withDatabase("auth")
    .withUsername("auth")
    .withPassword("auth")
    .withCommand(["postgres", "-c", `max_connections=${CONNECTIONS}`, "-c", "fsync=off"])
    .start();
}

function registryContainer(network: StartedNetwork): Promise<StartedTestContainer> {
  return new GenericContainer(IMAGES.registry)
    .withNetwork(network)
    .withEnvironment({
      APICURIO_STORAGE_KIND: "sql",
      APICURIO_STORAGE_SQL_KIND: "postgresql",
      APICURIO_DATASOURCE_URL: `jdbc:postgresql://${DATABASE}:5432/registry`,
      APICURIO_DATASOURCE_USERNAME: "auth",
      APICURIO_DATASOURCE_PASSWORD: "auth",
    })
    .withExposedPorts(REGISTRY_PORT)
    .withWaitStrategy(Wait.forHttp("/apis/ccompat/v7/subjects", REGISTRY_PORT))
    .start();
}

function kafkaContainer(port: number): Promise<StartedTestContainer> {
  return new GenericContainer(IMAGES.kafka)
    .withEnvironment({
      KAFKA_NODE_ID: "1",
      KAFKA_PROCESS_ROLES: "broker,controller",
      // The broker asks itself over the network too, to check transactions, and the published port is not in the
      // container.
      KAFKA_LISTENERS: "PLAINTEXT://:9092,INTERNAL://localhost:19092,CONTROLLER://:9093",
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://localhost:${port},INTERNAL://localhost:19092`,
      KAFKA_INTER_BROKER_LISTENER_NAME: "INTERNAL",
      KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,PLAINTEXT:PLAINTEXT",
      KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:9093",
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
      KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: "4",
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: "1",
      KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS: "2",
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1",
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: "1",
      KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: "1",
      KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: "1",
    })
    .withExposedPorts({ container: 9092, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .start();
}
