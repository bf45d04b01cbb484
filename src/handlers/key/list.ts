// Key list: the fleet's public keys as a JSON Web Key Set (RFC 7517): use "sig" verifies access tokens, use "enc" seals
// requests.
import { defineHandler } from "../../command/define.ts";

export default defineHandler({
  topic: "auth.key.list",
  lane: "cheap",
  storesAnswer: false,
  needs: ["keys"],
  handle: (_request, ctx) => Promise.resolve({ jwks: ctx.keys.jwks() }),
});
