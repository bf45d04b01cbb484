// Names for password hashes that this service cannot verify, for the report of an import. Derived from the beginning of
// the text and never quoting it, because it may be a plain password.

const names: readonly (readonly [RegExp, string])[] = [
  [/^\$argon2(id|i|d)\$.*[$,]keyid=/, "argon2 with a secret key"],
  [/^\$argon2id\$/, "argon2id"],
  [/^\$argon2i\$/, "argon2i"],
  [/^\$argon2d\$/, "argon2d"],
  [/^\$2x\$/, "bcrypt-2x"],
  [/^\$2[aby]?\$/, "bcrypt"],
  [/^\$bcrypt-sha256\$|^bcrypt_sha256\$/, "bcrypt-sha256"],
  [/^\$wp\$2/, "bcrypt-sha384"],
  [/^\$scrypt\$|^scrypt[:$]|^\$s[01]\$|^\$7\$/, "scrypt"],
  [/^\$pbkdf2|^pbkdf2[_:]|^\$p5k2\$/, "pbkdf2"],
  [/^\$g?y\$/, "yescrypt"],
  [/^\$6\$/, "sha512-crypt"],
  [/^\$5\$/, "sha256-crypt"],
  [/^\$1\$/, "md5-crypt"],
  [/^\$apr1\$/, "apr1"],
  [/^\$sha1\$/, "sha1-crypt"],
  [/^\$md5[,$]/, "sun-md5"],
  [/^\$3\$/, "nthash"],
  [/^\$[PH]\$/, "phpass"],
  [/^\$S\$/, "drupal"],
  [/^\$balloon\$/, "balloon"],
  [/^(?:md5|sha1|sha256|sha512)[$:]/, "salted digest"],
  [/^\{S?(?:SHA|SHA256|SHA384|SHA512|MD5)\}/i, "digest"],
  [/^(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/i, "digest"],
  [/^AQAAAA[A-Za-z0-9+/]{70,}={0,2}$/, "ASP.NET Identity"],
];

/** A name given in an export's object. */
const ownName = /^[a-z][a-z0-9-]{0,31}$/;

export function hashName(hash: unknown): string {
  if (typeof hash === "string") {
    const bare = hash.replace(/^\{[\w.@-]{1,40}\}(?=\$)/, "").replace(/^(?:argon2|bcrypt)\$(?=\$)|^argon2(?=\$)/, "");
    return names.find(([form]) => form.test(bare))?.[1] ?? "unknown";
  }
  const { algorithm } = (hash ?? {}) as { algorithm?: unknown };
  return typeof algorithm === "string" && ownName.test(algorithm) ? algorithm : "unknown";
}
