// Every role is built from its configuration here and in wire/, and nowhere else.
export { startBridge } from "./bridge.ts";
export { startMailerRole } from "./mailer.ts";
export {
  clientOf,
  kafkaOf,
  keyDepsFor as keyPartsOf,
  keysOf,
  type ProcessContext,
  poolOf,
  type Running,
  registryOf,
} from "./parts.ts";
export { startRelayRole } from "./relay.ts";
export { passwordsOf, policyOf, served, settingsOf, startWorker } from "./worker.ts";
