// Rules of passwords, and the cost of a hash.
import { availableParallelism } from "node:os";
import { peppers, text, whole, words } from "../kinds.ts";

export const hashingVariables = {
  AUTH_PASSWORD_MIN: whole(
    "Minimum length of a password, in code points after NFKC. 15 is recommended where it is the only factor (NIST SP 800-63B).",
    { min: 4, max: 256, default: "8" },
  ),
  AUTH_PASSWORD_WORDS: {
    meaning:
      "Words of which no password may consist, in addition to AUTH_PRODUCT, login, user name and e-mail address.",
    range: "words, comma separated",
    default: "",
    parse: words,
  },
  AUTH_BREACHED_PASSWORDS: text(
    "Directory of stolen passwords: ranges of Have I Been Pwned, a file for each five hex digits. Not set: passwords are not compared with stolen ones.",
  ),
  AUTH_PEPPER: {
    meaning:
      "Keys of an HMAC before Argon2. The first one is used for new hashes, all of them verify. Without a key the passwords that were hashed with it cannot be verified.",
    range: "id:base64 of 32 bytes, comma separated",
    secret: true as const,
    parse: peppers,
  },
  AUTH_HASH_THREADS: whole("Argon2 hashes computed at a time.", {
    min: 1,
    max: 128,
    default: () => String(availableParallelism()),
    shown: "cores",
  }),
  AUTH_HASH_QUEUE_TARGET: whole(
    "Longest wait for a hash, in times of one hash: a request that would wait longer is OVERLOADED. Three quarters of it without a device token.",
    {
      min: 1,
      max: 1000,
      default: "4",
    },
  ),
  AUTH_ARGON2_MEMORY: whole("Memory of a new Argon2id hash, in KiB (OWASP: 19456 with 2 passes).", {
    min: 7168,
    max: 1_048_576,
    default: "19456",
  }),
  AUTH_ARGON2_TIME: whole("Passes of a new Argon2id hash.", { min: 1, max: 16, default: "2" }),
  AUTH_ARGON2_PARALLELISM: whole("Lanes of a new Argon2id hash.", { min: 1, max: 16, default: "1" }),
};
