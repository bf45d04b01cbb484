// The defaults of `dev`: for one machine, and partly less strict than a deployment (config/relaxed.ts lists those, and
// `dev` prints them). authctl uses the same when it finds the fleet by stack.json.
import type { Environment } from "../../config/read.ts";

export const devDefaults: Environment = {
  AUTH_PARTITIONS: "auth.session.*=6,auth.account.register=6,*=2",
  AUTH_REQUIRE_SEALED: "false",
  AUTH_LEGACY_TOPICS: "true",
  AUTH_CONFIRM_WITHOUT_PROOF: "auth.reply.bridge", // the old gateway's RegistrationUser sends a token and nothing else
  AUTH_HTTP_HOST: "127.0.0.1",
  AUTH_GRPC_HOST: "127.0.0.1",
  AUTH_GRPC_PLAINTEXT: "true",
  AUTH_GRPC_TRUST_CLIENT: "true",
  // Into the mailer's log file: there is no mail server.
  AUTH_SMTP_URL: "print:",
  AUTH_MAIL_FROM: "Auth <auth@localhost>",
  AUTH_MAIL_LINK_URL: "http://localhost:3000/{kind}?token={token}",
};
