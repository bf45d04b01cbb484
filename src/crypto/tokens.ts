// Issues access tokens (RFC 9068: JWT, typ at+jwt); access-tokens.ts verifies them. Operators' tokens are in
// operators.ts.
import type { JWTPayload } from "jose";
import {
  type AccessReader,
  type AccessSubject,
  type AccessVerifierOptions,
  accessType,
  makeAccessVerifier,
} from "./access-tokens.ts";
import { uuidv7 } from "./ids.ts";
import { signCompact } from "./jws.ts";
import type { Keyring } from "./keys.ts";

export interface Tokens extends AccessReader {
  /** @returns the token and its expiry, Unix ms */
  issueAccess(subject: AccessSubject): Promise<{ token: string; expiresAt: number }>;
}

export interface TokensOptions extends AccessVerifierOptions {
  keyring: () => Pick<Keyring, "verification" | "signing">;
  accessTtlMs: number;
}

/** Issues and verifies the fleet's tokens. */
export function makeTokens(options: TokensOptions): Tokens {
  const { keyring, issuer, audience, accessTtlMs, clock } = options;

  const sign = (typ: string, payload: JWTPayload): string => {
    const { kid, alg, key } = keyring().signing();
    const claims = { iss: issuer, aud: audience, jti: uuidv7(clock), ...payload };
    return signCompact({ alg, typ, kid }, claims, key);
  };

  return {
    ...makeAccessVerifier(options),

    async issueAccess(subject) {
      const { userId, login, roles, sessionId, generation, amr, authTime } = subject;
      const exp = Math.floor((clock.now() + accessTtlMs) / 1000);
      const token = sign(accessType, {
        sub: String(userId),
        login,
        roles,
        sid: sessionId,
        gen: generation,
        amr,
        auth_time: Math.floor(authTime / 1000),
        iat: Math.floor(clock.now() / 1000),
        exp,
        client_id: audience,
      });
      return { token, expiresAt: exp * 1000 };
    },
  };
}
