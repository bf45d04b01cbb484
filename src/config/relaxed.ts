// What a configuration relaxes, in one place: /readyz of every process and the ready lines of `dev` name it, so that
// what is meant for one machine or for a migration is not forgotten in a deployment. A variable that takes less than
// its default does belongs here.
import type { Config } from "./read.ts";

type Relaxation = { [Name in keyof Config]?: (value: Config[Name]) => boolean };

const isOn = (value: boolean): boolean => value;

const relaxations: Relaxation = {
  AUTH_CONFIRM_WITHOUT_PROOF: (value) => value.length > 0,
  AUTH_REQUIRE_SEALED: (value) => !value,
  AUTH_LEGACY_TOPICS: isOn,
  AUTH_KAFKA_PLAINTEXT: isOn,
  AUTH_REGISTRY_PLAINTEXT: isOn,
  AUTH_DATABASE_PLAINTEXT: isOn,
  AUTH_SMTP_PLAINTEXT: isOn,
  AUTH_GRPC_PLAINTEXT: isOn,
  AUTH_GRPC_TRUST_CLIENT: isOn,
};

/** As they would be written in an environment: `AUTH_REQUIRE_SEALED=false`. None has a secret. */
export function relaxed(config: Config): string[] {
  return Object.entries(relaxations).flatMap(([name, relaxes]) => {
    const value = config[name as keyof Config];
    return (relaxes as (value: unknown) => boolean)(value) ? [`${name}=${String(value)}`] : [];
  });
}
