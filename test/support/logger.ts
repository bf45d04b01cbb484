// A logger that writes nothing, for what a test makes in its own process.
import { makeLogger } from "../../src/runtime/log.ts";

export const quiet = makeLogger("silent", {});
