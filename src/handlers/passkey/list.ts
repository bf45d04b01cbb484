// List: a user's second factors. Refuses what requireBearer refuses.

import { requireBearer } from "../../accounts/bearer.ts";
import { defineHandler } from "../../command/define.ts";
import { factorOverview } from "../../db/passkeys.ts";

export default defineHandler({
  topic: "auth.passkey.list",
  lane: "db",
  storesAnswer: false,
  async handle({ accessToken }, ctx) {
    const { userId } = await requireBearer(ctx, accessToken);
    const found = await ctx.read(factorOverview(userId));
    if (found === null) throw new Error("a read without a table gave no row");
    const passkeys = found.passkeys.map(({ createdAt, lastUsedAt, ...passkey }) => ({
      ...passkey,
      createdAt: Date.parse(createdAt),
      lastUsedAt: lastUsedAt === null ? null : Date.parse(lastUsedAt),
    }));
    return { passkeys, authenticatorApp: found.totp, recoveryLeft: found.recoveryLeft };
  },
});
