// The log of what authctl runs in its own process: none, because standard output is for results alone.
import { makeLogger } from "../../runtime/log.ts";

export const silentLog = makeLogger("silent", {});
