// Every process: health, metrics, log, and how it stops.
import { listenHost } from "../address-kinds.ts";
import { duration, oneOf, whole } from "../kinds.ts";

export const httpVariables = {
  AUTH_DRAIN_TIMEOUT: duration("How long a stopping process finishes what it has begun.", "100ms", "5m", "10s"),
  AUTH_HTTP_HOST: {
    meaning: "Where /healthz, /readyz and /metrics are served.",
    range: "host name or IP address",
    default: "0.0.0.0",
    parse: listenHost,
  },
  AUTH_HTTP_PORT: whole("Port of /healthz, /readyz and /metrics; 0: any free one.", {
    min: 0,
    max: 65_535,
    default: "8080",
  }),
  AUTH_LOG_LEVEL: oneOf("How much is logged.", ["silent", "error", "warn", "info", "debug", "trace"], "info"),
};
