// What `node src/main.ts help` prints.
import { configurationHelp } from "./variables.ts";

export function helpText(): string {
  return `authfleet: an auth service as a fleet of workers behind Kafka request/reply topics.

Usage: authfleet PROCESS     (in a checkout: npx node src/main.ts PROCESS)

  worker    serves the auth.* request topics and the platform's JSON topics
  relay     publishes events and messages, sweeps up what is over
  bridge    gRPC service auth.Auth for the gateway
  mailer    sends the mails of auth.mail by SMTP
  migrate   creates or verifies database, keys, topics and schemas, then ends
  dev       all of it on this machine, with Kafka, registry and PostgreSQL
  ctl       authctl: the operators' command line
  help      this text

Every process serves /healthz, /readyz and /metrics on AUTH_HTTP_PORT.
It is configured by environment variables; each may be given as NAME_FILE:

${configurationHelp()}
`;
}
