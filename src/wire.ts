// Every role is built from its configuration here and in wire/, and nowhere else.
export { startBridge } from "./wire/bridge.ts";
export { startMailerRole } from "./wire/mailer.ts";
export { clientOf, kafkaOf, keyPartsOf, keysOf, poolOf, type Running, registryOf, type Wiring } from "./wire/parts.ts";
export { startRelayRole } from "./wire/relay.ts";
export { passwordsOf, policyOf, served, settingsOf, startWorker } from "./wire/worker.ts";
