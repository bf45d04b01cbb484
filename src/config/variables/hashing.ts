// Passwords and their hashes: what a password must be, and what a hash costs.
import { availableParallelism } from "node:os";
import { peppers, text, whole, words } from "../kinds.ts";

export const hashingVariables = {
  AUTH_PASSWORD_MIN: whole(
    "Shortest password, in code points after NFKC; 15 is recommended where it is the only factor.",
    { min: 4, max: 256, default: "8" },
  ),
  AUTH_PASSWORD_WORDS: {
    meaning: "Words that no password may be made of, beside AUTH_PRODUCT, login, user name and e-mail address.",
    range: "words, comma separated",
    default: "",
    parse: words,
  },
  AUTH_BREACHED_PASSWORDS: text(
    "Folder of stolen passwords: Have I Been Pwned ranges, one file per five hex digits. Not set: they are not looked for.",
  ),
  AUTH_PEPPER: {
    meaning:
      "Keys of a keyed step before Argon2; the first one makes new hashes, all verify. Losing one loses the passwords made with it.",
    range: "id:base64 of 32 bytes, comma separated",
    secret: true as const,
    parse: peppers,
  },
  AUTH_HASH_THREADS: whole("Argon2 hashes at a time.", {
    min: 1,
    max: 128,
    default: () => String(availableParallelism()),
    shown: "cores",
  }),
  AUTH_HASH_QUEUE_TARGET: whole(
    "How many hash times a request may wait for its hash before it is OVERLOADED; without a device token three quarters of it.",
    {
      min: 1,
      max: 1000,
      default: "4",
    },
  ),
  AUTH_ARGON2_MEMORY: whole("Memory of a new Argon2id hash in KiB (OWASP: 19456 with 2 passes).", {
    min: 7168,
    max: 1_048_576,
    default: "19456",
  }),
  AUTH_ARGON2_TIME: whole("Passes of a new Argon2id hash.", { min: 1, max: 16, default: "2" }),
  AUTH_ARGON2_PARALLELISM: whole("Lanes of a new Argon2id hash.", { min: 1, max: 16, default: "1" }),
};
