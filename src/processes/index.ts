// Every process is put together from its configuration here, and nowhere else.
export { startBridge } from "./bridge.ts";
export { startMailerProcess } from "./mailer.ts";
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
export { startRelayProcess } from "./relay.ts";
export { passwordsOf, policyOf, served, settingsOf, startWorker } from "./worker.ts";
