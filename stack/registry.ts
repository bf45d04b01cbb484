// The schema registry (Apicurio, by its Confluent-compatible API) as a service of the stack.
// Its storage is a database of our PostgreSQL, so schema ids survive a restart: a registry that gave new ids to old
// schemas would make every kept record unreadable. It needs PostgreSQL and nothing else, Kafka neither at the start nor
// later.
import type { Database } from "./postgres.ts";
import type { Processes } from "./processes.ts";
import { makeService, type Service } from "./service.ts";

const JVM = ["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"];
const API = "/apis/ccompat/v7";

export interface RegistryNode {
  readonly java: string;
  readonly jar: string;
  readonly dir: string;
  readonly processes: Processes;
  readonly port: number;
  readonly database: Pick<Database, "port" | "user" | "password">;
}

export type Registry = Service & { readonly address: string };

export function makeRegistry(node: RegistryNode): Registry {
  const address = `http://127.0.0.1:${node.port}${API}`;
  const service = makeService(
    {
      name: "registry",
      prepare: async () => ({
        file: node.java,
        args: [...JVM, "-jar", node.jar],
        cwd: node.dir,
        env: environment(node),
      }),
      ready: async () => answers(`${address}/subjects`),
    },
    node,
  );
  return Object.assign(service, { address });
}

/** The password goes by the environment: arguments can be read by every user of the machine. */
function environment({ port, database }: RegistryNode): NodeJS.ProcessEnv {
  return {
    ...process.env,
    APICURIO_STORAGE_KIND: "sql",
    APICURIO_STORAGE_SQL_KIND: "postgresql",
    APICURIO_DATASOURCE_URL: `jdbc:postgresql://127.0.0.1:${database.port}/registry`,
    APICURIO_DATASOURCE_USERNAME: database.user,
    APICURIO_DATASOURCE_PASSWORD: database.password,
    QUARKUS_HTTP_HOST: "127.0.0.1",
    QUARKUS_HTTP_PORT: String(port),
    QUARKUS_HTTP_ACCESS_LOG_ENABLED: "false",
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
