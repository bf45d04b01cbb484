// The bridge: where gRPC is served, and to whom.
import { listenHost } from "../address-kinds.ts";
import { duration, flag, pem, whole, words } from "../kinds.ts";

const secret = { secret: true as const };

export const grpcVariables = {
  AUTH_GRPC_HOST: {
    meaning: "Where the bridge listens.",
    range: "host name or IP address",
    default: "0.0.0.0",
    parse: listenHost,
  },
  AUTH_GRPC_PORT: whole("Port the bridge listens on; 0: any free one.", { min: 0, max: 65_535, default: "50051" }),
  AUTH_GRPC_TIMEOUT: duration("Time for a call that comes without a deadline.", "100ms", "5m", "15s"),
  AUTH_GRPC_TLS_CERT: pem("Certificate of the bridge, PEM; may be given as _FILE. With it the bridge speaks TLS only."),
  AUTH_GRPC_TLS_KEY: pem("Key of the bridge's certificate, PEM.", secret),
  AUTH_GRPC_TLS_CLIENT_CA: pem("Authority whose certificates clients must show, PEM; may be given as _FILE."),
  AUTH_GRPC_PLAINTEXT: flag("Serve gRPC without TLS elsewhere than on loopback, where something else encrypts.", false),
  AUTH_GRPC_TRUSTED: {
    meaning:
      "Callers that may say for which device they call (metadata auth-client-*), by the names in their certificates (CN or SAN).",
    range: "names, comma separated",
    parse: words,
  },
  AUTH_GRPC_TRUST_CLIENT: flag(
    "Let every caller say for which device it calls: where nobody but the gateway reaches the bridge.",
    false,
  ),
};
