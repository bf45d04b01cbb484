// The fields of a user that an import knows.

/** The fields of a user that --column may name. */
export const mappable: readonly string[] = [
  "id",
  "login",
  "username",
  "email",
  "hash",
  "active",
  "verified",
  "role",
  "admin",
  "createdAt",
];
