// The bridge: the gRPC server, and which callers it trusts.
import { listenHost } from "../address-kinds.ts";
import { duration, flag, pem, whole, words } from "../kinds.ts";

const secret = { secret: true as const };

export const grpcVariables = {
  AUTH_GRPC_HOST: {
    meaning: "Address that the bridge listens on.",
    range: "host name or IP address",
    default: "0.0.0.0",
    parse: listenHost,
  },
  AUTH_GRPC_PORT: whole("Port that the bridge listens on; 0: any free one.", { min: 0, max: 65_535, default: "50051" }),
  AUTH_GRPC_TIMEOUT: duration("Deadline of a call that has none.", "100ms", "5m", "15s"),
  AUTH_GRPC_TLS_CERT: pem("Certificate of the bridge, PEM; also as _FILE. If set, the bridge only accepts TLS."),
  AUTH_GRPC_TLS_KEY: pem("Key of the bridge's certificate, PEM.", secret),
  AUTH_GRPC_TLS_CLIENT_CA: pem(
    "Certificate authority of clients, PEM; also as _FILE. If set, clients must show a certificate.",
  ),
  AUTH_GRPC_PLAINTEXT: flag(
    "Allow gRPC without TLS on other addresses than loopback, where something else encrypts.",
    false,
  ),
  AUTH_GRPC_TRUSTED: {
    meaning:
      "Callers that may name the device they call for (metadata auth-client-*), by the names in their certificates (CN or SAN).",
    range: "names, comma separated",
    parse: words,
  },
  AUTH_GRPC_TRUST_CLIENT: flag(
    "Allow every caller to name the device it calls for: only where nothing but the gateway reaches the bridge.",
    false,
  ),
};
