// Generated from schemas/ by `npm run generate`. Do not edit.

/** Checks whether an access token's user has a permission, by their roles right now. */
export interface AccessCheckRequest {
  /** Name of the permission, e.g. users.ban. */
  permission: string;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Checks whether an access token's user has a permission, by their roles right now. */
export interface AccessCheckRequestInput {
  /** Name of the permission, e.g. users.ban. */
  permission: string;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface AccessCheckResult {
  /** Whether one of the user's roles has the permission. False also for an unknown permission. */
  allowed: boolean;
}

/** Asks for another e-mail address: a link goes there, a notice to the old one. Nothing changes until the link is used. */
export interface AccountChangeEmailRequest {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
  /** Sealed. The user's password, as they type it. */
  password: string;
  /** Sealed. The e-mail address that the account shall have. */
  newEmail: string;
}

/** Asks for another e-mail address: a link goes there, a notice to the old one. Nothing changes until the link is used. */
export interface AccountChangeEmailRequestInput {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
  /** Sealed. The user's password, as they type it. */
  password: string;
  /** Sealed. The e-mail address that the account shall have. */
  newEmail: string;
}

/** The command was carried out. */
export interface AccountChangeEmailResult {

}

/** Sets the language that the owner of the access token is written to in. */
export interface AccountChangeLocaleRequest {
  /** A BCP 47 tag of up to 35 characters, such as de or pt-BR. Null, or one that there is no text in: the fleet's. */
  locale: null | string;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Sets the language that the owner of the access token is written to in. */
export interface AccountChangeLocaleRequestInput {
  /** A BCP 47 tag of up to 35 characters, such as de or pt-BR. Null, or one that there is no text in: the fleet's. */
  locale?: null | string;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface AccountChangeLocaleResult {
  /** The stored tag, in its canonical form; null: the fleet's language. */
  locale: null | string;
}

/** Makes the address that a link was sent to the account's own, by the token of that link, once. */
export interface AccountConfirmEmailRequest {
  /** Sealed. The token of the link that was mailed to the new address. */
  token: string;
}

/** Makes the address that a link was sent to the account's own, by the token of that link, once. */
export interface AccountConfirmEmailRequestInput {
  /** Sealed. The token of the link that was mailed to the new address. */
  token: string;
}

/** The command was carried out. */
export interface AccountConfirmEmailResult {

}

/** What the requester knows of the device that is being served. */
export interface Client {
  /** IP address of the device; brackets, a port and a zone are taken off. */
  ip: null | string;
  /** User-Agent of the device: at most 512 characters. */
  userAgent: null | string;
  /** A name or an id of the device that its owner recognises: at most 256 characters. */
  device: null | string;
}

/** Confirms an account with the token of its confirmation link, once, and opens a session. Exactly one of registrationSecret and password must prove that the request comes from the person who registered. */
export interface AccountConfirmRequest {
  /** Whether the session's refresh token changes at each refresh. False: it stays, and the session ends absolutely after AUTH_COOKIE_MAX_AGE. */
  rotating: boolean;
  /** The device that is being served; shown in session lists. */
  client: null | Client;
  /** Sealed. The token of the confirmation link. */
  token: string;
  /** Sealed. The secret that auth.account.register returned; empty where the password is sent instead. */
  registrationSecret: string;
  /** Sealed. The account's password; empty where the registration secret is sent instead. */
  password: string;
}

/** What the requester knows of the device that is being served. */
export interface ClientInput {
  /** IP address of the device; brackets, a port and a zone are taken off. */
  ip?: null | string;
  /** User-Agent of the device: at most 512 characters. */
  userAgent?: null | string;
  /** A name or an id of the device that its owner recognises: at most 256 characters. */
  device?: null | string;
}

/** Confirms an account with the token of its confirmation link, once, and opens a session. Exactly one of registrationSecret and password must prove that the request comes from the person who registered. */
export interface AccountConfirmRequestInput {
  /** Whether the session's refresh token changes at each refresh. False: it stays, and the session ends absolutely after AUTH_COOKIE_MAX_AGE. */
  rotating?: boolean;
  /** The device that is being served; shown in session lists. */
  client?: null | ClientInput;
  /** Sealed. The token of the confirmation link. */
  token: string;
  /** Sealed. The secret that auth.account.register returned; empty where the password is sent instead. */
  registrationSecret: string;
  /** Sealed. The account's password; empty where the registration secret is sent instead. */
  password: string;
}

/** The command was carried out. */
export interface AccountConfirmResult {
  /** Id of the user. */
  userId: number;
  /** Id of the session (UUID). */
  sessionId: string;
  /** When the access token ends. */
  accessExpiresAt: number;
  /** When the refresh token ends, if it is not used before. */
  refreshExpiresAt: number;
  /** Sealed. Access token (JWT) of the session. */
  accessToken: string;
  /** Sealed. Refresh token of the session. */
  refreshToken: string;
  /** Sealed. Identifies the user's device to the fleet for 90 d: send it back as header auth-device. It authorises nothing. */
  deviceToken: string;
}

/** Erases the account of an access token's user permanently: the sessions end, the e-mail address is free at once and the login after AUTH_LOGIN_QUARANTINE. */
export interface AccountDeleteRequest {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
  /** Sealed. The user's password, as they type it. */
  password: string;
}

/** Erases the account of an access token's user permanently: the sessions end, the e-mail address is free at once and the login after AUTH_LOGIN_QUARANTINE. */
export interface AccountDeleteRequestInput {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
  /** Sealed. The user's password, as they type it. */
  password: string;
}

/** The account is erased. */
export interface AccountDeleteResult {

}

/** Exports everything that is stored about an access token's user. The login must be younger than AUTH_STEP_UP_MAX_AGE (otherwise MFA_REQUIRED); the user gets a mail. */
export interface AccountExportRequest {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Exports everything that is stored about an access token's user. The login must be younger than AUTH_STEP_UP_MAX_AGE (otherwise MFA_REQUIRED); the user gets a mail. */
export interface AccountExportRequestInput {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The export of the user: document is a JSON text with account, roles, credentials, links, sessions and history (lists are ordered newest first), and with leftOut, which says for each list that was too long from when on its entries are missing. */
export interface AccountExportResult {
  /** Sealed. Everything that is stored about the user, as JSON. */
  document: string;
}

/** Creates an account that has to be confirmed by a link sent to its e-mail address. */
export interface AccountRegisterRequest {
  /** Name to log in with: 4 to 32 characters of one script, without @; unique whatever their case. */
  login: string;
  /** Name to show: 4 to 32 characters. */
  username: string;
  /** Language to write to the user in: a BCP 47 tag of up to 35 characters, such as de or pt-BR. Null, or one that there is no text in: the fleet's. */
  locale: null | string;
  /** The device that is being served; limits count by its network. */
  client: null | Client;
  /** Sealed. The account's e-mail address: unique whatever its case, and whether its domain is written in Unicode or in ASCII. */
  email: string;
  /** Sealed. The password that the account shall have. */
  password: string;
}

/** Creates an account that has to be confirmed by a link sent to its e-mail address. */
export interface AccountRegisterRequestInput {
  /** Name to log in with: 4 to 32 characters of one script, without @; unique whatever their case. */
  login: string;
  /** Name to show: 4 to 32 characters. */
  username: string;
  /** Language to write to the user in: a BCP 47 tag of up to 35 characters, such as de or pt-BR. Null, or one that there is no text in: the fleet's. */
  locale?: null | string;
  /** The device that is being served; limits count by its network. */
  client?: null | ClientInput;
  /** Sealed. The account's e-mail address: unique whatever its case, and whether its domain is written in Unicode or in ASCII. */
  email: string;
  /** Sealed. The password that the account shall have. */
  password: string;
}

/** The command was carried out. */
export interface AccountRegisterResult {
  /** Id of the new user; null where AUTH_HIDE_EMAIL is on. */
  userId: null | number;
  /** Always true: a confirmation goes out to the e-mail address, at once, or within the hour where it had AUTH_MAILS_PER_HOUR already. */
  confirmationSent: boolean;
  /** Sealed. Confirms the account together with the link that was mailed (auth.account.confirm): keep it where the registration goes on. There in every case, also where it opens nothing. */
  registrationSecret: string;
}

/** Asks for another confirmation link. Always ok, so that nobody learns which addresses have accounts. */
export interface AccountResendRequest {
  /** The device that is being served; limits count by its network. */
  client: null | Client;
  /** Sealed. E-mail address of the account. */
  email: string;
}

/** Asks for another confirmation link. Always ok, so that nobody learns which addresses have accounts. */
export interface AccountResendRequestInput {
  /** The device that is being served; limits count by its network. */
  client?: null | ClientInput;
  /** Sealed. E-mail address of the account. */
  email: string;
}

/** The command was carried out. */
export interface AccountResendResult {

}

/** Enrols an operator, who acts with tokens signed by their own key, or adds a key to an existing one. The actor must have every permission of the operator. */
export interface AdminAddOperatorRequest {
  /** The operator's name: 1 to 64 letters, digits or . _ @ - */
  name: string;
  /** JSON of a public JWK: EC on P-256 (ES256) or OKP Ed25519 (EdDSA). */
  publicKey: string;
  /** The operator's permissions; the single item * means all. Empty for an existing operator, whose permissions stay. */
  permissions: string[];
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** Enrols an operator, who acts with tokens signed by their own key, or adds a key to an existing one. The actor must have every permission of the operator. */
export interface AdminAddOperatorRequestInput {
  /** The operator's name: 1 to 64 letters, digits or . _ @ - */
  name: string;
  /** JSON of a public JWK: EC on P-256 (ES256) or OKP Ed25519 (EdDSA). */
  publicKey: string;
  /** The operator's permissions; the single item * means all. Empty for an existing operator, whose permissions stay. */
  permissions?: string[];
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** The operator has the key. */
export interface AdminAddOperatorResult {
  /** The operator's name. */
  name: string;
  /** Thumbprint (RFC 7638) of the key. */
  kid: string;
  /** All that the operator may do. */
  permissions: string[];
}

/** Bans a user: all sessions end, and the account cannot be logged in to until the ban ends or is lifted. For a banned user the new end and reason replace the old ones. */
export interface AdminBanUserRequest {
  /** Why, for the audit. */
  reason: string;
  /** When the ban ends by itself; null: when it is lifted. */
  until: null | number;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** Bans a user: all sessions end, and the account cannot be logged in to until the ban ends or is lifted. For a banned user the new end and reason replace the old ones. */
export interface AdminBanUserRequestInput {
  /** Why, for the audit. */
  reason?: string;
  /** When the ban ends by itself; null: when it is lifted. */
  until?: null | number;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** The command was carried out. */
export interface AdminBanUserResult {
  /** Id of the user. */
  userId: number;
  /** When the ban ends by itself; null: when it is lifted. */
  until: null | number;
}

/** Grants permissions to a role and revokes others, with immediate effect for everybody who has the role. A permission is any name of up to 64 lower-case letters, digits, dots and dashes. */
export interface AdminChangeRoleRequest {
  /** The role's name: a lower-case letter, then lower-case letters, digits or dashes, 32 at most. */
  role: string;
  /** Whether the role is a new one. */
  create: boolean;
  /** Permissions to add to the role. */
  grant: string[];
  /** Permissions that the role shall have no more. */
  revoke: string[];
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** Grants permissions to a role and revokes others, with immediate effect for everybody who has the role. A permission is any name of up to 64 lower-case letters, digits, dots and dashes. */
export interface AdminChangeRoleRequestInput {
  /** The role's name: a lower-case letter, then lower-case letters, digits or dashes, 32 at most. */
  role: string;
  /** Whether the role is a new one. */
  create?: boolean;
  /** Permissions to add to the role. */
  grant?: string[];
  /** Permissions that the role shall have no more. */
  revoke?: string[];
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** The command was carried out. */
export interface AdminChangeRoleResult {
  /** The role's name. */
  role: string;
  /** All that it permits now, in the order of the names. */
  permissions: string[];
}

/** Deletes a role that no user has. */
export interface AdminDeleteRoleRequest {
  /** The role's name: a lower-case letter, then lower-case letters, digits or dashes, 32 at most. */
  role: string;
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** Deletes a role that no user has. */
export interface AdminDeleteRoleRequestInput {
  /** The role's name: a lower-case letter, then lower-case letters, digits or dashes, 32 at most. */
  role: string;
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** The command was carried out. */
export interface AdminDeleteRoleResult {
  /** The name of the deleted role. */
  role: string;
}

/** Deletes a user permanently, with account, password and roles; all sessions end. */
export interface AdminDeleteUserRequest {
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** Deletes a user permanently, with account, password and roles; all sessions end. */
export interface AdminDeleteUserRequestInput {
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** The command was carried out. */
export interface AdminDeleteUserResult {
  /** Id of the user. */
  userId: number;
}

/** Exports everything that is stored about a user who has asked for it: the document of auth.account.export. */
export interface AdminExportUserRequest {
  /** Why, for the audit: 1 to 1000 characters. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** Exports everything that is stored about a user who has asked for it: the document of auth.account.export. */
export interface AdminExportUserRequestInput {
  /** Why, for the audit: 1 to 1000 characters. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** The export as auth.account.export returns it: document is a JSON text with account, roles, credentials, links, sessions and history (lists are ordered newest first), and with leftOut, which says for each list that was too long from when on its entries are missing. */
export interface AdminExportUserResult {
  /** Id of the user. */
  userId: number;
  /** Sealed. Everything that is stored about the user, as JSON. */
  document: string;
}

/** Finds users, a page at a time. search: the beginning of a login or an e-mail address, id:<number>, or empty for all; cursor: where the page before ended, empty for the first one. In the order of logins; those found by their address alone come after the others, in the order of addresses. */
export interface AdminFindUsersRequest {
  /** Only users in this state: unconfirmed, active or banned; empty: any. Who is banned is banned whether confirmed or not. */
  state: string;
  /** Users on a page, 1 to 200. */
  limit: number;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. How the login or the e-mail address begins, or id: and a number; empty: all users. */
  search: string;
  /** Sealed. Where the page before ended, as its reply said; empty: the first page. */
  cursor: string;
}

/** Finds users, a page at a time. search: the beginning of a login or an e-mail address, id:<number>, or empty for all; cursor: where the page before ended, empty for the first one. In the order of logins; those found by their address alone come after the others, in the order of addresses. */
export interface AdminFindUsersRequestInput {
  /** Only users in this state: unconfirmed, active or banned; empty: any. Who is banned is banned whether confirmed or not. */
  state?: string;
  /** Users on a page, 1 to 200. */
  limit?: number;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. How the login or the e-mail address begins, or id: and a number; empty: all users. */
  search: string;
  /** Sealed. Where the page before ended, as its reply said; empty: the first page. */
  cursor: string;
}

/** A user in a list; names and address are sealed. */
export interface AdminFoundUser {
  /** Id of the user. */
  userId: number;
  /** The user's login. */
  login: string;
  /** False while the user is banned. */
  isActive: boolean;
  /** Whether the account is confirmed. */
  isVerified: boolean;
  /** When the ban ends by itself; null: it does not, or there is none. */
  bannedUntil: null | number;
  /** The user's roles. */
  roles: string[];
  /** When the account was made. */
  createdAt: number;
  /** Sealed. Name to show. */
  username: string;
  /** Sealed. E-mail address of the account. */
  email: string;
}

/** The command was carried out. */
export interface AdminFindUsersResult {
  /** A page of users; there may be fewer than `limit` on a page that is not the last. The sealed cursor is for the next page; empty: this is the last one. */
  users: AdminFoundUser[];
  /** Sealed. What the request for the next page takes; empty: this is the last page. */
  cursor: string;
}

/** Shows one user to an administrator or operator. */
export interface AdminGetUserRequest {
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** Shows one user to an administrator or operator. */
export interface AdminGetUserRequestInput {
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** The command was carried out. */
export interface AdminGetUserResult {
  /** Id of the user. */
  userId: number;
  /** The user's login. */
  login: string;
  /** False while the user is banned. */
  isActive: boolean;
  /** Whether the account is confirmed. */
  isVerified: boolean;
  /** The user's roles. */
  roles: string[];
  /** When the account was made. */
  createdAt: number;
  /** When the ban ends by itself; null: it does not, or there is none. */
  bannedUntil: null | number;
  /** Why the user is banned; empty: not banned, or no reason was given. */
  banReason: string;
  /** How many sessions of the user go on. */
  sessions: number;
  /** Whether this is the last user with the role admin who can log in. */
  lastAdmin: boolean;
  /** Language the user is written to in (BCP 47); null: the fleet's. */
  locale: null | string;
  /** Sealed. Name to show. */
  username: string;
  /** Sealed. E-mail address of the account. */
  email: string;
}

/** All operators with what they may do and their keys. */
export interface AdminListOperatorsRequest {
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** All operators with what they may do and their keys. */
export interface AdminListOperatorsRequestInput {
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** A public key of an operator. */
export interface AdminOperatorKey {
  /** Its thumbprint (RFC 7638). */
  kid: string;
  /** ES256 or EdDSA. */
  alg: string;
  /** When it was added. */
  addedAt: number;
}

/** An operator: a person who administers the fleet with a key of their own. */
export interface AdminOperator {
  /** The operator's name. */
  name: string;
  /** What the operator may do; one item * is everything. */
  permissions: string[];
  /** Keys by which the operator signs. */
  keys: AdminOperatorKey[];
}

/** All operators, by name. */
export interface AdminListOperatorsResult {
  /** At most 200. */
  operators: AdminOperator[];
}

/** Lists all roles with what they permit. */
export interface AdminListRolesRequest {
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** Lists all roles with what they permit. */
export interface AdminListRolesRequestInput {
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** A role and what it permits. */
export interface AdminRole {
  /** The role's name. */
  name: string;
  /** What it permits, in the order of the names. */
  permissions: string[];
}

/** The command was carried out. */
export interface AdminListRolesResult {
  /** The roles, in the order of their names. */
  roles: AdminRole[];
}

/** Lists the sessions of a user that go on, the newest first, a page at a time. */
export interface AdminListSessionsRequest {
  /** Where the page before ended, as its reply said; null: the first page. */
  cursor: null | string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** Lists the sessions of a user that go on, the newest first, a page at a time. */
export interface AdminListSessionsRequestInput {
  /** Where the page before ended, as its reply said; null: the first page. */
  cursor?: null | string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** A session that goes on. */
export interface Session {
  /** Id of the session (UUID). */
  sessionId: string;
  /** When it was opened. */
  createdAt: number;
  /** When it was last refreshed, or opened. */
  lastUsedAt: number;
  /** When it ends if it is not used before. */
  expiresAt: number;
  /** The device as the requester described it when the session was opened. */
  client: null | Client;
  /** Whether it is the session of the access token that asks. */
  current: boolean;
}

/** The command was carried out. */
export interface AdminListSessionsResult {
  /** Id of the user. */
  userId: number;
  /** A page of sessions. */
  sessions: Session[];
  /** For the next page; null: this is the last one. */
  cursor: null | string;
}

/** Removes an operator, or one of their keys, with effect from the next request on. The actor must have every permission of the operator. */
export interface AdminRemoveOperatorRequest {
  /** The operator's name: 1 to 64 letters, digits or . _ @ - */
  name: string;
  /** The key to remove; null, or the last one, removes the operator. */
  kid: null | string;
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** Removes an operator, or one of their keys, with effect from the next request on. The actor must have every permission of the operator. */
export interface AdminRemoveOperatorRequestInput {
  /** The operator's name: 1 to 64 letters, digits or . _ @ - */
  name: string;
  /** The key to remove; null, or the last one, removes the operator. */
  kid?: null | string;
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** The operator or the key was removed. */
export interface AdminRemoveOperatorResult {
  /** The operator's name. */
  name: string;
  /** Whether the operator was removed, and not only the key. */
  removed: boolean;
}

/** Sets whether a role counts only in sessions that were opened with a second factor. */
export interface AdminRequireMfaRequest {
  /** Name of the role. */
  role: string;
  /** Whether a second factor is required. */
  required: boolean;
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** Sets whether a role counts only in sessions that were opened with a second factor. */
export interface AdminRequireMfaRequestInput {
  /** Name of the role. */
  role: string;
  /** Whether a second factor is required. */
  required: boolean;
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
}

/** The command was carried out. */
export interface AdminRequireMfaResult {
  /** Name of the role. */
  role: string;
  /** Whether a second factor is required now. */
  required: boolean;
  /** How many users of the role have no second factor yet. */
  without: number;
}

/** Removes every second factor of a user who has lost them, and ends all their sessions. The password stays. */
export interface AdminResetMfaRequest {
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** Removes every second factor of a user who has lost them, and ends all their sessions. The password stays. */
export interface AdminResetMfaRequestInput {
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** The command was carried out. */
export interface AdminResetMfaResult {
  /** Id of the user. */
  userId: number;
  /** False: the user had none, and nothing changed. */
  hadFactors: boolean;
}

/** Ends all sessions of a user, or one of them. The user may log in again. */
export interface AdminRevokeSessionsRequest {
  /** Id of the session that ends (UUID); null: all. */
  sessionId: null | string;
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** Ends all sessions of a user, or one of them. The user may log in again. */
export interface AdminRevokeSessionsRequestInput {
  /** Id of the session that ends (UUID); null: all. */
  sessionId?: null | string;
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** The command was carried out. */
export interface AdminRevokeSessionsResult {
  /** Id of the user. */
  userId: number;
  /** How many sessions ended. */
  ended: number;
}

/** Gives a user exactly these roles; access tokens from before stop counting. */
export interface AdminSetRolesRequest {
  /** All roles the user shall have. */
  roles: string[];
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** Gives a user exactly these roles; access tokens from before stop counting. */
export interface AdminSetRolesRequestInput {
  /** All roles the user shall have. */
  roles: string[];
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** The command was carried out. */
export interface AdminSetRolesResult {
  /** Id of the user. */
  userId: number;
  /** The roles the user has now. */
  roles: string[];
}

/** Lifts the ban of a user. Sessions that the ban ended stay over. */
export interface AdminUnbanUserRequest {
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** Lifts the ban of a user. Sessions that the ban ended stay over. */
export interface AdminUnbanUserRequestInput {
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** The command was carried out. */
export interface AdminUnbanUserResult {
  /** Id of the user. */
  userId: number;
  /** False: there was no ban, and nothing changed. */
  wasBanned: boolean;
}

/** Clears the failed attempts at a user's password and codes, which ends every wait. Known devices stay known. */
export interface AdminUnlockUserRequest {
  /** Why, for the audit. */
  reason: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** Clears the failed attempts at a user's password and codes, which ends every wait. Known devices stay known. */
export interface AdminUnlockUserRequestInput {
  /** Why, for the audit. */
  reason?: string;
  /** Sealed. The actor: an access token of a user with the permission, or an operator's token. */
  actorToken: string;
  /** Sealed. The user that this is about: their login, or id: and their number, such as id:17. */
  target: string;
}

/** The command was carried out. */
export interface AdminUnlockUserResult {
  /** Id of the user. */
  userId: number;
  /** How many failed attempts were forgotten: those at the password within 24 hours, and wrong codes of the authenticator app in a row; 0: there were none, and nothing changed. */
  failedAttempts: number;
}

/** Lists the fleet's public keys. */
export interface KeyListRequest {

}

/** Lists the fleet's public keys. */
export interface KeyListRequestInput {

}

/** The command was carried out. */
export interface KeyListResult {
  /** JSON Web Key Set (RFC 7517): keys with use "sig" verify access tokens, keys with use "enc" seal requests. */
  jwks: string;
}

/** Activates the authenticator app that auth.mfa.enroll gave the secret of, by a code it shows. From then on logging in needs a second factor. New recovery codes replace any others. */
export interface MfaActivateRequest {
  /** Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh. */
  endOthers: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
  /** Sealed. The code that the authenticator app shows. */
  code: string;
}

/** Activates the authenticator app that auth.mfa.enroll gave the secret of, by a code it shows. From then on logging in needs a second factor. New recovery codes replace any others. */
export interface MfaActivateRequestInput {
  /** Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh. */
  endOthers?: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
  /** Sealed. The code that the authenticator app shows. */
  code: string;
}

/** The command was carried out. */
export interface MfaActivateResult {
  /** Sealed. The recovery codes; each works once. They are shown here only. */
  codes: string[];
}

/** Removes the authenticator app of an access token's user; the recovery codes go with the last factor. */
export interface MfaDisableRequest {
  /** Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh. */
  endOthers: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Removes the authenticator app of an access token's user; the recovery codes go with the last factor. */
export interface MfaDisableRequestInput {
  /** Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh. */
  endOthers?: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface MfaDisableResult {

}

/** Begins to set up an authenticator app (TOTP) for an access token's user: returns its secret. It has no effect until auth.mfa.activate. */
export interface MfaEnrollRequest {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Begins to set up an authenticator app (TOTP) for an access token's user: returns its secret. It has no effect until auth.mfa.activate. */
export interface MfaEnrollRequestInput {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface MfaEnrollResult {
  /** Sealed. The secret for the authenticator app, in base 32. */
  secret: string;
  /** Sealed. The same as an otpauth:// URI, for a QR code. */
  uri: string;
}

/** Gives an access token's user new recovery codes; those from before stop working. */
export interface MfaRecoveryCodesRequest {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Gives an access token's user new recovery codes; those from before stop working. */
export interface MfaRecoveryCodesRequestInput {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface MfaRecoveryCodesResult {
  /** Sealed. The recovery codes; each works once. They are shown here only. */
  codes: string[];
}

/** Begins a login with a passkey: instead of a password, or as the second factor that a challenge of auth.session.login asks for. An unknown login is answered as any other. */
export interface PasskeyBeginLoginRequest {
  /** Whether the session's refresh token changes at each refresh. False: it stays, and the session ends absolutely after AUTH_COOKIE_MAX_AGE. With a challenge, its login request decides. */
  rotating: boolean;
  /** The device that is being served; shown in session lists. With a challenge, its login request decides. */
  client: null | Client;
  /** Sealed. The account's login, or the e-mail address of a confirmed account; empty: the passkey identifies the account. */
  login: string;
  /** Sealed. The challenge of auth.session.login that the passkey shall answer; empty: the passkey is used instead of a password. */
  challenge: string;
}

/** Begins a login with a passkey: instead of a password, or as the second factor that a challenge of auth.session.login asks for. An unknown login is answered as any other. */
export interface PasskeyBeginLoginRequestInput {
  /** Whether the session's refresh token changes at each refresh. False: it stays, and the session ends absolutely after AUTH_COOKIE_MAX_AGE. With a challenge, its login request decides. */
  rotating?: boolean;
  /** The device that is being served; shown in session lists. With a challenge, its login request decides. */
  client?: null | ClientInput;
  /** Sealed. The account's login, or the e-mail address of a confirmed account; empty: the passkey identifies the account. */
  login: string;
  /** Sealed. The challenge of auth.session.login that the passkey shall answer; empty: the passkey is used instead of a password. */
  challenge: string;
}

/** The command was carried out. */
export interface PasskeyBeginLoginResult {
  /** Sealed. What the browser's credentials call takes, as JSON. */
  options: string;
  /** Sealed. To be sent back with the browser's response. */
  challenge: string;
}

/** Begins to register a passkey for an access token's user. */
export interface PasskeyBeginRegistrationRequest {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Begins to register a passkey for an access token's user. */
export interface PasskeyBeginRegistrationRequestInput {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface PasskeyBeginRegistrationResult {
  /** Sealed. What the browser's credentials call takes, as JSON. */
  options: string;
  /** Sealed. To be sent back with the browser's response. */
  challenge: string;
}

/** Answers the challenge of auth.passkey.begin-login with a passkey, and opens the session. */
export interface PasskeyFinishLoginRequest {
  /** Sealed. The challenge that begin-login gave. */
  challenge: string;
  /** Sealed. What navigator.credentials.get() gave, as JSON. */
  response: string;
}

/** Answers the challenge of auth.passkey.begin-login with a passkey, and opens the session. */
export interface PasskeyFinishLoginRequestInput {
  /** Sealed. The challenge that begin-login gave. */
  challenge: string;
  /** Sealed. What navigator.credentials.get() gave, as JSON. */
  response: string;
}

/** The command was carried out. */
export interface PasskeyFinishLoginResult {
  /** Id of the user. */
  userId: number;
  /** Id of the session (UUID). */
  sessionId: string;
  /** When the access token ends. */
  accessExpiresAt: number;
  /** When the refresh token ends, if it is not used before. */
  refreshExpiresAt: number;
  /** Sealed. Access token (JWT) of the session. */
  accessToken: string;
  /** Sealed. Refresh token of the session. */
  refreshToken: string;
  /** Sealed. Identifies the user's device to the fleet for 90 d: send it back as header auth-device. It authorises nothing. */
  deviceToken: string;
}

/** Registers the passkey that answers auth.passkey.begin-registration. From then on logging in needs a second factor, or the passkey alone. */
export interface PasskeyFinishRegistrationRequest {
  /** What its owner calls it, up to 64 characters. */
  label: string;
  /** Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh. */
  endOthers: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
  /** Sealed. The challenge that begin-registration gave. */
  challenge: string;
  /** Sealed. What navigator.credentials.create() gave, as JSON. */
  response: string;
}

/** Registers the passkey that answers auth.passkey.begin-registration. From then on logging in needs a second factor, or the passkey alone. */
export interface PasskeyFinishRegistrationRequestInput {
  /** What its owner calls it, up to 64 characters. */
  label?: string;
  /** Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh. */
  endOthers?: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
  /** Sealed. The challenge that begin-registration gave. */
  challenge: string;
  /** Sealed. What navigator.credentials.create() gave, as JSON. */
  response: string;
}

/** The command was carried out. */
export interface PasskeyFinishRegistrationResult {
  /** Id of the passkey (UUID). */
  passkeyId: string;
}

/** Lists the second factors of an access token's user. */
export interface PasskeyListRequest {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Lists the second factors of an access token's user. */
export interface PasskeyListRequestInput {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** A passkey of a user. */
export interface Passkey {
  /** Id of the passkey (UUID). */
  passkeyId: string;
  /** What its owner calls it. */
  label: string;
  /** When it was registered. */
  createdAt: number;
  /** When it was last used. */
  lastUsedAt: null | number;
  /** Whether it may be on several devices of its owner, as its authenticator says. */
  synced: boolean;
}

/** The command was carried out. */
export interface PasskeyListResult {
  /** The user's passkeys, the oldest first. */
  passkeys: Passkey[];
  /** Whether an authenticator app is active. */
  authenticatorApp: boolean;
  /** How many recovery codes are unused. */
  recoveryLeft: number;
}

/** Removes a passkey of an access token's user; the recovery codes go with the last factor. */
export interface PasskeyRemoveRequest {
  /** Id of the passkey (UUID). */
  passkeyId: string;
  /** Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh. */
  endOthers: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Removes a passkey of an access token's user; the recovery codes go with the last factor. */
export interface PasskeyRemoveRequestInput {
  /** Id of the passkey (UUID). */
  passkeyId: string;
  /** Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh. */
  endOthers?: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface PasskeyRemoveResult {

}

/** Changes the password of an access token's user. All other sessions end; this one goes on and gets a current access token at its next refresh. */
export interface PasswordChangeRequest {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
  /** Sealed. The password that the account has, as the user types it. */
  currentPassword: string;
  /** Sealed. The password that the account shall have. */
  newPassword: string;
}

/** Changes the password of an access token's user. All other sessions end; this one goes on and gets a current access token at its next refresh. */
export interface PasswordChangeRequestInput {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
  /** Sealed. The password that the account has, as the user types it. */
  currentPassword: string;
  /** Sealed. The password that the account shall have. */
  newPassword: string;
}

/** The command was carried out. */
export interface PasswordChangeResult {

}

/** Asks for a link to set a new password with. Always ok, so that nobody learns which addresses have accounts. */
export interface PasswordForgotRequest {
  /** The device that is being served; limits count by its network. */
  client: null | Client;
  /** Sealed. E-mail address of the account. */
  email: string;
}

/** Asks for a link to set a new password with. Always ok, so that nobody learns which addresses have accounts. */
export interface PasswordForgotRequestInput {
  /** The device that is being served; limits count by its network. */
  client?: null | ClientInput;
  /** Sealed. E-mail address of the account. */
  email: string;
}

/** The command was carried out. */
export interface PasswordForgotResult {

}

/** Sets a new password by the token of a reset link, once. All sessions end and none is opened; second factors stay as they are. */
export interface PasswordResetRequest {
  /** The device that is being served; limits count by its network. */
  client: null | Client;
  /** Sealed. The token of the link that was mailed. */
  token: string;
  /** Sealed. The password that the account shall have. */
  newPassword: string;
}

/** Sets a new password by the token of a reset link, once. All sessions end and none is opened; second factors stay as they are. */
export interface PasswordResetRequestInput {
  /** The device that is being served; limits count by its network. */
  client?: null | ClientInput;
  /** Sealed. The token of the link that was mailed. */
  token: string;
  /** Sealed. The password that the account shall have. */
  newPassword: string;
}

/** The command was carried out. */
export interface PasswordResetResult {

}

/** Returns the identity of an access token, if it is valid now. */
export interface SessionInspectRequest {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Returns the identity of an access token, if it is valid now. */
export interface SessionInspectRequestInput {
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface SessionInspectResult {
  /** Id of the user. */
  userId: number;
  /** The user's login. */
  login: string;
  /** Whether the user may use the account; true for every valid token. */
  isActive: boolean;
  /** Whether the account is confirmed; true for every valid token. */
  isVerified: boolean;
  /** The user's roles. */
  roles: string[];
  /** Id of the session (UUID). */
  sessionId: string;
  /** When the access token ends. */
  expiresAt: number;
}

/** Lists the sessions of an access token's user that go on, the newest first, a page at a time. */
export interface SessionListRequest {
  /** Where the page before ended, as its reply said; null: the first page. */
  cursor: null | string;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Lists the sessions of an access token's user that go on, the newest first, a page at a time. */
export interface SessionListRequestInput {
  /** Where the page before ended, as its reply said; null: the first page. */
  cursor?: null | string;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface SessionListResult {
  /** A page of sessions. */
  sessions: Session[];
  /** For the next page; null: this is the last one. */
  cursor: null | string;
}

/** Answers the challenge of auth.session.login with a code, and opens the session. */
export interface SessionLoginMfaRequest {
  /** What the code is of: totp or recovery. A passkey answers by auth.passkey.begin-login and finish-login. */
  method: string;
  /** Sealed. The challenge that the login's reply gave. */
  challenge: string;
  /** Sealed. A code of the authenticator app, or one of the recovery codes. */
  code: string;
}

/** Answers the challenge of auth.session.login with a code, and opens the session. */
export interface SessionLoginMfaRequestInput {
  /** What the code is of: totp or recovery. A passkey answers by auth.passkey.begin-login and finish-login. */
  method: string;
  /** Sealed. The challenge that the login's reply gave. */
  challenge: string;
  /** Sealed. A code of the authenticator app, or one of the recovery codes. */
  code: string;
}

/** The command was carried out. */
export interface SessionLoginMfaResult {
  /** Id of the user. */
  userId: number;
  /** Id of the session (UUID). */
  sessionId: string;
  /** When the access token ends. */
  accessExpiresAt: number;
  /** When the refresh token ends, if it is not used before. */
  refreshExpiresAt: number;
  /** Sealed. Access token (JWT) of the session. */
  accessToken: string;
  /** Sealed. Refresh token of the session. */
  refreshToken: string;
  /** Sealed. Identifies the user's device to the fleet for 90 d: send it back as header auth-device. It authorises nothing. */
  deviceToken: string;
}

/** Exchanges a login and password for a session. */
export interface SessionLoginRequest {
  /** The account's login, in any case; or the e-mail address of a confirmed account, up to 254 characters. */
  login: string;
  /** Whether the session's refresh token changes at each refresh. False: it stays, and the session ends absolutely after AUTH_COOKIE_MAX_AGE. */
  rotating: boolean;
  /** The device that is being served; shown in session lists. */
  client: null | Client;
  /** Sealed. The password as the user types it. */
  password: string;
}

/** Exchanges a login and password for a session. */
export interface SessionLoginRequestInput {
  /** The account's login, in any case; or the e-mail address of a confirmed account, up to 254 characters. */
  login: string;
  /** Whether the session's refresh token changes at each refresh. False: it stays, and the session ends absolutely after AUTH_COOKIE_MAX_AGE. */
  rotating?: boolean;
  /** The device that is being served; shown in session lists. */
  client?: null | ClientInput;
  /** Sealed. The password as the user types it. */
  password: string;
}

/** A session's tokens; the tokens themselves are sealed. */
export interface Tokens {
  /** Id of the user. */
  userId: number;
  /** Id of the session (UUID). */
  sessionId: string;
  /** When the access token ends. */
  accessExpiresAt: number;
  /** When the refresh token ends, if it is not used before. */
  refreshExpiresAt: number;
  /** Sealed. Access token (JWT) of the session. */
  accessToken: string;
  /** Sealed. Refresh token of the session. */
  refreshToken: string;
  /** Sealed. Identifies the user's device to the fleet for 90 d: send it back as header auth-device. It authorises nothing. */
  deviceToken: string;
}

/** A second factor is needed; the challenge itself is sealed. */
export interface MfaChallenge {
  /** Factors that will do, e.g. totp. */
  methods: string[];
  /** Sealed. To be sent back with the answer. */
  challenge: string;
}

/** The command was carried out. */
export interface SessionLoginResult {
  /** The session, if no second factor is needed. */
  tokens: null | Tokens;
  /** What to answer with auth.session.login-mfa, if a second factor is needed. */
  challenge: null | MfaChallenge;
}

/** Ends the session of an access token, or all sessions of its user. */
export interface SessionLogoutRequest {
  /** Whether all sessions of the user end. */
  everywhere: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Ends the session of an access token, or all sessions of its user. */
export interface SessionLogoutRequestInput {
  /** Whether all sessions of the user end. */
  everywhere?: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface SessionLogoutResult {

}

/** Exchanges a refresh token for a new access token, and in a rotating session for a new refresh token. */
export interface SessionRefreshRequest {
  /** Sealed. The session's newest refresh token. */
  refreshToken: string;
}

/** Exchanges a refresh token for a new access token, and in a rotating session for a new refresh token. */
export interface SessionRefreshRequestInput {
  /** Sealed. The session's newest refresh token. */
  refreshToken: string;
}

/** The command was carried out. */
export interface SessionRefreshResult {
  /** Id of the user. */
  userId: number;
  /** Id of the session (UUID). */
  sessionId: string;
  /** When the access token ends. */
  accessExpiresAt: number;
  /** When the refresh token ends, if it is not used before. */
  refreshExpiresAt: number;
  /** Sealed. Access token (JWT) of the session. */
  accessToken: string;
  /** Sealed. Refresh token of the session. */
  refreshToken: string;
  /** Sealed. Identifies the user's device to the fleet for 90 d: send it back as header auth-device. It authorises nothing. */
  deviceToken: string;
}

/** Ends another session of an access token's user, or all others. Exactly one of sessionId and others must be set. */
export interface SessionRevokeRequest {
  /** Id of the session that ends (UUID). */
  sessionId: null | string;
  /** Whether all sessions end but the access token's own. */
  others: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** Ends another session of an access token's user, or all others. Exactly one of sessionId and others must be set. */
export interface SessionRevokeRequestInput {
  /** Id of the session that ends (UUID). */
  sessionId?: null | string;
  /** Whether all sessions end but the access token's own. */
  others?: boolean;
  /** Sealed. Access token of the session that asks. */
  accessToken: string;
}

/** The command was carried out. */
export interface SessionRevokeResult {

}

/** An administrative command was refused: the actor lacks a permission or a second factor, or the token does not count. Key of the record: the actor. */
export interface AdminRefusedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Always null: the event is about the actor. */
  userId: null | number;
  /** Always null. */
  sequence: null | number;
  /** The actor: user:<id>, operator:<name>, or anonymous where the token is not valid. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** The command, as its topic ends: ban-user. Empty where `more` counts attempts. */
  command: string;
  /** The target: id:<user id> or role:<name>; empty where it does not exist, or the command has no target. */
  target: string;
  /** The refusal's code. Empty where `more` counts attempts. */
  code: string;
  /** The permission that was lacking, where it was one. */
  permission: null | string;
  /** Attempts of the actor within the minute before that have no event of their own, because there were too many. Otherwise 0. */
  more: number;
}

/** Another confirmation link was asked for and goes out. */
export interface ConfirmationRequestedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
}

/** Everything that is stored about a user was exported: by the user, or by an administrator or operator for them. */
export interface DataExportedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Session in which the user asked for it; empty where an administrator or operator took it. */
  sessionId: string;
  /** What an administrator or operator gave as the reason; else empty. */
  reason: string;
}

/** A user asked for another e-mail address. Nothing has changed yet. */
export interface EmailChangeRequestedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
}

/** A user's e-mail address was changed. No event contains the address. */
export interface EmailChangedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
}

/** A session was opened. */
export interface LoggedInEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Id of the session (UUID). */
  sessionId: string;
  /** The user's login. */
  login: string;
  /** How: password or confirmation; password+totp, password+recovery, password+passkey; passkey. */
  method: string;
  /** The device that is being served; shown in session lists. */
  client: null | Client;
}

/** A user ended sessions. */
export interface LoggedOutEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Id of the session (UUID). */
  sessionId: string;
  /** Whether all sessions of the user ended. */
  everywhere: boolean;
}

/** A password was right, and a second factor was asked for. */
export interface LoginChallengedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** The user's login. */
  login: string;
  /** Factors that will do: totp, passkey, recovery. */
  methods: string[];
  /** The device that is being served; shown in session lists. */
  client: null | Client;
}

/** A login was refused. */
export interface LoginRefusedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user; null where the login is unknown. */
  userId: null | number;
  /** Number of the event among those of its user, without gaps; null where the login is unknown. */
  sequence: null | number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Login that was tried, normalised: the account's where there is one, also where its e-mail address was typed; empty for an address that no account has. */
  login: string;
  /** The refusal's code. */
  code: string;
  /** The device that is being served; shown in session lists. */
  client: null | Client;
}

/** The second factors of a user changed. */
export interface MfaChangedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** totp-activated, totp-disabled, recovery-codes, passkey-added, passkey-removed or reset. */
  change: string;
  /** The session in which it was done; it goes on. */
  sessionId: null | string;
}

/** A second factor, or a passkey, was refused. */
export interface MfaRefusedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user; null where the login is unknown. */
  userId: null | number;
  /** Number of the event among those of its user, without gaps; null where the login is unknown. */
  sequence: null | number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** totp, recovery or passkey. */
  method: string;
  /** wrong, replayed (a code that was used before), absent (the user has no such factor), or counter (a passkey whose counter went back: it may have been copied). */
  reason: string;
  /** The device that is being served; shown in session lists. */
  client: null | Client;
}

/** A role began or ceased to require a second factor. */
export interface MfaRequirementChangedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user; null where the login is unknown. */
  userId: null | number;
  /** Number of the event among those of its user, without gaps; null where the login is unknown. */
  sequence: null | number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Name of the role. */
  role: string;
  /** Whether a second factor is required now. */
  required: boolean;
  /** Why, for the audit. */
  reason: string;
}

/** An operator was enrolled, or has another key. Key of the record: operator:<name>. */
export interface OperatorAddedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Always null: an operator is no user. */
  userId: null | number;
  /** Always null. */
  sequence: null | number;
  /** The actor: user:<id>, operator:<name>, or system:master-key for the first operator. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** The operator's name. */
  operator: string;
  /** Thumbprint (RFC 7638) of the key that was added. */
  kid: string;
  /** All that the operator may do now; * is everything. */
  permissions: string[];
  /** Why it was done. */
  reason: string;
}

/** An operator, or one of their keys, was removed. Key of the record: operator:<name>. */
export interface OperatorRemovedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Always null: an operator is no user. */
  userId: null | number;
  /** Always null. */
  sequence: null | number;
  /** The actor: user:<id>, operator:<name>, or system:master-key for the first operator. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** The operator's name. */
  operator: string;
  /** The removed key; null: the operator with all keys. */
  kid: null | string;
  /** Why it was done. */
  reason: string;
}

/** A user changed the password; other sessions ended. */
export interface PasswordChangedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** The session in which it was changed; it goes on. */
  sessionId: null | string;
}

/** A request with an access token had a wrong password, which the command requires as well. */
export interface PasswordRefusedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Id of the session (UUID). */
  sessionId: string;
}

/** A user set a new password by the link in a mail; all sessions of the user ended. */
export interface PasswordResetEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
}

/** A link to set a new password with was asked for. Without a user where the address has no confirmed account; then no mail goes out. */
export interface PasswordResetRequestedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user; null where the address has no account. */
  userId: null | number;
  /** Number of the event among those of its user, without gaps; null where the address has no account. */
  sequence: null | number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Whether a mail goes out: not to an address without an account, and not beyond AUTH_MAILS_PER_HOUR. */
  mailed: boolean;
}

/** A refresh token was used that had been replaced before: the session was ended. */
export interface RefreshReusedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Id of the session (UUID). */
  sessionId: string;
}

/** What a role permits changed, or the role is new. Key of the record: role:<name>. */
export interface RoleChangedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Always null: a role has no user. */
  userId: null | number;
  /** Always null. */
  sequence: null | number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** The role's name. */
  role: string;
  /** All that it permits now. */
  permissions: string[];
  /** Why it was done. */
  reason: string;
}

/** A role that no user had was deleted. Key of the record: role:<name>. */
export interface RoleDeletedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Always null: a role has no user. */
  userId: null | number;
  /** Always null. */
  sequence: null | number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** The role's name. */
  role: string;
  /** Why it was done. */
  reason: string;
}

/** A user's roles changed. */
export interface RolesChangedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** All roles the user has now. */
  roles: string[];
  /** Why it was done. */
  reason: string;
}

/** A session got new tokens. */
export interface SessionRefreshedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Id of the session (UUID). */
  sessionId: string;
}

/** Sessions of a user ended other than by logging out: the user ended them, there were too many, or an administrator ended them. */
export interface SessionsRevokedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Ids of the sessions that ended; empty: all but `kept`, or all. */
  sessionIds: string[];
  /** All sessions ended but this one; null: only those listed, or all where none is. */
  kept: null | string;
  /** `user`: the user ended them; `limit`: the oldest, because there were AUTH_SESSIONS_MAX; `admin`: an administrator or operator ended them. */
  cause: string;
  /** What an administrator or operator gave as the reason; else empty. */
  reason: string;
}

/** A user was banned; all sessions ended. */
export interface UserBannedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Why it was done. */
  reason: string;
  /** When the ban ends by itself; null: when it is lifted. */
  until: null | number;
}

/** An account was confirmed by its owner. */
export interface UserConfirmedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** The user's login. */
  login: string;
  /** What proved, besides the link, that the person who confirmed is the one who registered: secret (of the registration), password, or none (AUTH_CONFIRM_WITHOUT_PROOF, or an account that an operator created). */
  proof: string;
}

/** A user was deleted. */
export interface UserDeletedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Why it was done. */
  reason: string;
}

/** An account was made. */
export interface UserRegisteredEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** The user's login. */
  login: string;
}

/** A ban was lifted. */
export interface UserUnbannedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Why it was done. */
  reason: string;
}

/** Failed attempts at the user's password and codes were forgotten. */
export interface UserUnlockedEvent {
  /** Id of the event (UUID); the same however often it is delivered. */
  eventId: string;
  /** When it happened. */
  at: number;
  /** Id of the user. */
  userId: number;
  /** Number of the event among those of its user, without gaps, from 1. */
  sequence: number;
  /** The actor: user:<id>, operator:<name>, service:<name> or anonymous. */
  actor: string;
  /** W3C trace context of the request. */
  traceparent: null | string;
  /** Why it was done. */
  reason: string;
}

/** Every command by its topic: what a caller gives, what the handler sees, what the caller gets. */
export interface Commands {
  "auth.access.check": { input: AccessCheckRequestInput; request: AccessCheckRequest; result: AccessCheckResult };
  "auth.account.change-email": { input: AccountChangeEmailRequestInput; request: AccountChangeEmailRequest; result: AccountChangeEmailResult };
  "auth.account.change-locale": { input: AccountChangeLocaleRequestInput; request: AccountChangeLocaleRequest; result: AccountChangeLocaleResult };
  "auth.account.confirm-email": { input: AccountConfirmEmailRequestInput; request: AccountConfirmEmailRequest; result: AccountConfirmEmailResult };
  "auth.account.confirm": { input: AccountConfirmRequestInput; request: AccountConfirmRequest; result: AccountConfirmResult };
  "auth.account.delete": { input: AccountDeleteRequestInput; request: AccountDeleteRequest; result: AccountDeleteResult };
  "auth.account.export": { input: AccountExportRequestInput; request: AccountExportRequest; result: AccountExportResult };
  "auth.account.register": { input: AccountRegisterRequestInput; request: AccountRegisterRequest; result: AccountRegisterResult };
  "auth.account.resend": { input: AccountResendRequestInput; request: AccountResendRequest; result: AccountResendResult };
  "auth.admin.add-operator": { input: AdminAddOperatorRequestInput; request: AdminAddOperatorRequest; result: AdminAddOperatorResult };
  "auth.admin.ban-user": { input: AdminBanUserRequestInput; request: AdminBanUserRequest; result: AdminBanUserResult };
  "auth.admin.change-role": { input: AdminChangeRoleRequestInput; request: AdminChangeRoleRequest; result: AdminChangeRoleResult };
  "auth.admin.delete-role": { input: AdminDeleteRoleRequestInput; request: AdminDeleteRoleRequest; result: AdminDeleteRoleResult };
  "auth.admin.delete-user": { input: AdminDeleteUserRequestInput; request: AdminDeleteUserRequest; result: AdminDeleteUserResult };
  "auth.admin.export-user": { input: AdminExportUserRequestInput; request: AdminExportUserRequest; result: AdminExportUserResult };
  "auth.admin.find-users": { input: AdminFindUsersRequestInput; request: AdminFindUsersRequest; result: AdminFindUsersResult };
  "auth.admin.get-user": { input: AdminGetUserRequestInput; request: AdminGetUserRequest; result: AdminGetUserResult };
  "auth.admin.list-operators": { input: AdminListOperatorsRequestInput; request: AdminListOperatorsRequest; result: AdminListOperatorsResult };
  "auth.admin.list-roles": { input: AdminListRolesRequestInput; request: AdminListRolesRequest; result: AdminListRolesResult };
  "auth.admin.list-sessions": { input: AdminListSessionsRequestInput; request: AdminListSessionsRequest; result: AdminListSessionsResult };
  "auth.admin.remove-operator": { input: AdminRemoveOperatorRequestInput; request: AdminRemoveOperatorRequest; result: AdminRemoveOperatorResult };
  "auth.admin.require-mfa": { input: AdminRequireMfaRequestInput; request: AdminRequireMfaRequest; result: AdminRequireMfaResult };
  "auth.admin.reset-mfa": { input: AdminResetMfaRequestInput; request: AdminResetMfaRequest; result: AdminResetMfaResult };
  "auth.admin.revoke-sessions": { input: AdminRevokeSessionsRequestInput; request: AdminRevokeSessionsRequest; result: AdminRevokeSessionsResult };
  "auth.admin.set-roles": { input: AdminSetRolesRequestInput; request: AdminSetRolesRequest; result: AdminSetRolesResult };
  "auth.admin.unban-user": { input: AdminUnbanUserRequestInput; request: AdminUnbanUserRequest; result: AdminUnbanUserResult };
  "auth.admin.unlock-user": { input: AdminUnlockUserRequestInput; request: AdminUnlockUserRequest; result: AdminUnlockUserResult };
  "auth.key.list": { input: KeyListRequestInput; request: KeyListRequest; result: KeyListResult };
  "auth.mfa.activate": { input: MfaActivateRequestInput; request: MfaActivateRequest; result: MfaActivateResult };
  "auth.mfa.disable": { input: MfaDisableRequestInput; request: MfaDisableRequest; result: MfaDisableResult };
  "auth.mfa.enroll": { input: MfaEnrollRequestInput; request: MfaEnrollRequest; result: MfaEnrollResult };
  "auth.mfa.recovery-codes": { input: MfaRecoveryCodesRequestInput; request: MfaRecoveryCodesRequest; result: MfaRecoveryCodesResult };
  "auth.passkey.begin-login": { input: PasskeyBeginLoginRequestInput; request: PasskeyBeginLoginRequest; result: PasskeyBeginLoginResult };
  "auth.passkey.begin-registration": { input: PasskeyBeginRegistrationRequestInput; request: PasskeyBeginRegistrationRequest; result: PasskeyBeginRegistrationResult };
  "auth.passkey.finish-login": { input: PasskeyFinishLoginRequestInput; request: PasskeyFinishLoginRequest; result: PasskeyFinishLoginResult };
  "auth.passkey.finish-registration": { input: PasskeyFinishRegistrationRequestInput; request: PasskeyFinishRegistrationRequest; result: PasskeyFinishRegistrationResult };
  "auth.passkey.list": { input: PasskeyListRequestInput; request: PasskeyListRequest; result: PasskeyListResult };
  "auth.passkey.remove": { input: PasskeyRemoveRequestInput; request: PasskeyRemoveRequest; result: PasskeyRemoveResult };
  "auth.password.change": { input: PasswordChangeRequestInput; request: PasswordChangeRequest; result: PasswordChangeResult };
  "auth.password.forgot": { input: PasswordForgotRequestInput; request: PasswordForgotRequest; result: PasswordForgotResult };
  "auth.password.reset": { input: PasswordResetRequestInput; request: PasswordResetRequest; result: PasswordResetResult };
  "auth.session.inspect": { input: SessionInspectRequestInput; request: SessionInspectRequest; result: SessionInspectResult };
  "auth.session.list": { input: SessionListRequestInput; request: SessionListRequest; result: SessionListResult };
  "auth.session.login-mfa": { input: SessionLoginMfaRequestInput; request: SessionLoginMfaRequest; result: SessionLoginMfaResult };
  "auth.session.login": { input: SessionLoginRequestInput; request: SessionLoginRequest; result: SessionLoginResult };
  "auth.session.logout": { input: SessionLogoutRequestInput; request: SessionLogoutRequest; result: SessionLogoutResult };
  "auth.session.refresh": { input: SessionRefreshRequestInput; request: SessionRefreshRequest; result: SessionRefreshResult };
  "auth.session.revoke": { input: SessionRevokeRequestInput; request: SessionRevokeRequest; result: SessionRevokeResult };
}

/** Every event by its name. */
export interface Events {
  AdminRefused: AdminRefusedEvent;
  ConfirmationRequested: ConfirmationRequestedEvent;
  DataExported: DataExportedEvent;
  EmailChangeRequested: EmailChangeRequestedEvent;
  EmailChanged: EmailChangedEvent;
  LoggedIn: LoggedInEvent;
  LoggedOut: LoggedOutEvent;
  LoginChallenged: LoginChallengedEvent;
  LoginRefused: LoginRefusedEvent;
  MfaChanged: MfaChangedEvent;
  MfaRefused: MfaRefusedEvent;
  MfaRequirementChanged: MfaRequirementChangedEvent;
  OperatorAdded: OperatorAddedEvent;
  OperatorRemoved: OperatorRemovedEvent;
  PasswordChanged: PasswordChangedEvent;
  PasswordRefused: PasswordRefusedEvent;
  PasswordReset: PasswordResetEvent;
  PasswordResetRequested: PasswordResetRequestedEvent;
  RefreshReused: RefreshReusedEvent;
  RoleChanged: RoleChangedEvent;
  RoleDeleted: RoleDeletedEvent;
  RolesChanged: RolesChangedEvent;
  SessionRefreshed: SessionRefreshedEvent;
  SessionsRevoked: SessionsRevokedEvent;
  UserBanned: UserBannedEvent;
  UserConfirmed: UserConfirmedEvent;
  UserDeleted: UserDeletedEvent;
  UserRegistered: UserRegisteredEvent;
  UserUnbanned: UserUnbannedEvent;
  UserUnlocked: UserUnlockedEvent;
}

export const commandSchemas = {
  "auth.access.check": {
    request: {"type":"record","namespace":"auth.access","name":"CheckRequest","doc":"Checks whether an access token's user has a permission, by their roles right now.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"session","field":"accessToken"},"fields":[{"name":"permission","type":"string","doc":"Name of the permission, e.g. users.ban.","maxBytes":128},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.access","name":"CheckReply","doc":"Answer to auth.access.check.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.access","name":"CheckResult","doc":"The command was carried out.","fields":[{"name":"allowed","type":"boolean","doc":"Whether one of the user's roles has the permission. False also for an unknown permission."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.account.change-email": {
    request: {"type":"record","namespace":"auth.account","name":"ChangeEmailRequest","doc":"Asks for another e-mail address: a link goes there, a notice to the old one. Nothing changes until the link is used.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192},{"name":"password","doc":"The user's password, as they type it.","text":"secret"},{"name":"newEmail","doc":"The e-mail address that the account shall have."}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.account","name":"ChangeEmailReply","doc":"Answer to auth.account.change-email.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.account","name":"ChangeEmailResult","doc":"The command was carried out.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.account.change-locale": {
    request: {"type":"record","namespace":"auth.account","name":"ChangeLocaleRequest","doc":"Sets the language that the owner of the access token is written to in.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"locale","type":["null","string"],"doc":"A BCP 47 tag of up to 35 characters, such as de or pt-BR. Null, or one that there is no text in: the fleet's.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.account","name":"ChangeLocaleReply","doc":"Answer to auth.account.change-locale.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.account","name":"ChangeLocaleResult","doc":"The command was carried out.","fields":[{"name":"locale","type":["null","string"],"doc":"The stored tag, in its canonical form; null: the fleet's language.","default":null}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.account.confirm-email": {
    request: {"type":"record","namespace":"auth.account","name":"ConfirmEmailRequest","doc":"Makes the address that a link was sent to the account's own, by the token of that link, once.","sealedFields":[{"name":"token","doc":"The token of the link that was mailed to the new address."}],"recordKey":{"kind":"token","field":"token"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.account","name":"ConfirmEmailReply","doc":"Answer to auth.account.confirm-email.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.account","name":"ConfirmEmailResult","doc":"The command was carried out.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.account.confirm": {
    request: {"type":"record","namespace":"auth.account","name":"ConfirmRequest","doc":"Confirms an account with the token of its confirmation link, once, and opens a session. Exactly one of registrationSecret and password must prove that the request comes from the person who registered.","sealedFields":[{"name":"token","doc":"The token of the confirmation link."},{"name":"registrationSecret","doc":"The secret that auth.account.register returned; empty where the password is sent instead.","text":"secret"},{"name":"password","doc":"The account's password; empty where the registration secret is sent instead.","text":"secret"}],"recordKey":{"kind":"token","field":"token"},"fields":[{"name":"rotating","type":"boolean","doc":"Whether the session's refresh token changes at each refresh. False: it stays, and the session ends absolutely after AUTH_COOKIE_MAX_AGE.","default":true},{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; shown in session lists.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.account","name":"ConfirmReply","doc":"Answer to auth.account.confirm.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.account","name":"ConfirmResult","doc":"The command was carried out.","sealedFields":[{"name":"accessToken","doc":"Access token (JWT) of the session."},{"name":"refreshToken","doc":"Refresh token of the session."},{"name":"deviceToken","doc":"Identifies the user's device to the fleet for 90 d: send it back as header auth-device. It authorises nothing."}],"fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."},{"name":"accessExpiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the access token ends."},{"name":"refreshExpiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the refresh token ends, if it is not used before."},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.account.delete": {
    request: {"type":"record","namespace":"auth.account","name":"DeleteRequest","doc":"Erases the account of an access token's user permanently: the sessions end, the e-mail address is free at once and the login after AUTH_LOGIN_QUARANTINE.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192},{"name":"password","doc":"The user's password, as they type it.","text":"secret"}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.account","name":"DeleteReply","doc":"Answer to auth.account.delete.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.account","name":"DeleteResult","doc":"The account is erased.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.account.export": {
    request: {"type":"record","namespace":"auth.account","name":"ExportRequest","doc":"Exports everything that is stored about an access token's user. The login must be younger than AUTH_STEP_UP_MAX_AGE (otherwise MFA_REQUIRED); the user gets a mail.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.account","name":"ExportReply","doc":"Answer to auth.account.export.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.account","name":"ExportResult","doc":"The export of the user: document is a JSON text with account, roles, credentials, links, sessions and history (lists are ordered newest first), and with leftOut, which says for each list that was too long from when on its entries are missing.","sealedFields":[{"name":"document","doc":"Everything that is stored about the user, as JSON."}],"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.account.register": {
    request: {"type":"record","namespace":"auth.account","name":"RegisterRequest","doc":"Creates an account that has to be confirmed by a link sent to its e-mail address.","sealedFields":[{"name":"email","doc":"The account's e-mail address: unique whatever its case, and whether its domain is written in Unicode or in ASCII."},{"name":"password","doc":"The password that the account shall have.","text":"secret"}],"recordKey":{"kind":"login","field":"login"},"fields":[{"name":"login","type":"string","doc":"Name to log in with: 4 to 32 characters of one script, without @; unique whatever their case."},{"name":"username","type":"string","doc":"Name to show: 4 to 32 characters."},{"name":"locale","type":["null","string"],"doc":"Language to write to the user in: a BCP 47 tag of up to 35 characters, such as de or pt-BR. Null, or one that there is no text in: the fleet's.","default":null},{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; limits count by its network.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.account","name":"RegisterReply","doc":"Answer to auth.account.register.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.account","name":"RegisterResult","doc":"The command was carried out.","sealedFields":[{"name":"registrationSecret","doc":"Confirms the account together with the link that was mailed (auth.account.confirm): keep it where the registration goes on. There in every case, also where it opens nothing."}],"fields":[{"name":"userId","type":["null","long"],"doc":"Id of the new user; null where AUTH_HIDE_EMAIL is on.","default":null},{"name":"confirmationSent","type":"boolean","doc":"Always true: a confirmation goes out to the e-mail address, at once, or within the hour where it had AUTH_MAILS_PER_HOUR already."},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.account.resend": {
    request: {"type":"record","namespace":"auth.account","name":"ResendRequest","doc":"Asks for another confirmation link. Always ok, so that nobody learns which addresses have accounts.","sealedFields":[{"name":"email","doc":"E-mail address of the account."}],"recordKey":{"kind":"email","field":"email"},"fields":[{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; limits count by its network.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.account","name":"ResendReply","doc":"Answer to auth.account.resend.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.account","name":"ResendResult","doc":"The command was carried out.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.add-operator": {
    request: {"type":"record","namespace":"auth.admin","name":"AddOperatorRequest","doc":"Enrols an operator, who acts with tokens signed by their own key, or adds a key to an existing one. The actor must have every permission of the operator.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"name","type":"string","doc":"The operator's name: 1 to 64 letters, digits or . _ @ -","maxBytes":64},{"name":"publicKey","type":"string","doc":"JSON of a public JWK: EC on P-256 (ES256) or OKP Ed25519 (EdDSA).","maxBytes":2048,"text":"json"},{"name":"permissions","type":{"type":"array","items":"string"},"doc":"The operator's permissions; the single item * means all. Empty for an existing operator, whose permissions stay.","maxBytes":128,"maxItems":256,"default":[]},{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"AddOperatorReply","doc":"Answer to auth.admin.add-operator.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"AddOperatorResult","doc":"The operator has the key.","fields":[{"name":"name","type":"string","doc":"The operator's name."},{"name":"kid","type":"string","doc":"Thumbprint (RFC 7638) of the key."},{"name":"permissions","type":{"type":"array","items":"string"},"doc":"All that the operator may do."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.ban-user": {
    request: {"type":"record","namespace":"auth.admin","name":"BanUserRequest","doc":"Bans a user: all sessions end, and the account cannot be logged in to until the ban ends or is lifted. For a banned user the new end and reason replace the old ones.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"target","doc":"The user that this is about: their login, or id: and their number, such as id:17."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"until","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"doc":"When the ban ends by itself; null: when it is lifted.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"BanUserReply","doc":"Answer to auth.admin.ban-user.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"BanUserResult","doc":"The command was carried out.","fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"until","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"doc":"When the ban ends by itself; null: when it is lifted.","default":null}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.change-role": {
    request: {"type":"record","namespace":"auth.admin","name":"ChangeRoleRequest","doc":"Grants permissions to a role and revokes others, with immediate effect for everybody who has the role. A permission is any name of up to 64 lower-case letters, digits, dots and dashes.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"role","type":"string","doc":"The role's name: a lower-case letter, then lower-case letters, digits or dashes, 32 at most.","maxBytes":128},{"name":"create","type":"boolean","doc":"Whether the role is a new one.","default":false},{"name":"grant","type":{"type":"array","items":"string"},"doc":"Permissions to add to the role.","maxBytes":128,"maxItems":100,"default":[]},{"name":"revoke","type":{"type":"array","items":"string"},"doc":"Permissions that the role shall have no more.","maxBytes":128,"maxItems":100,"default":[]},{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"ChangeRoleReply","doc":"Answer to auth.admin.change-role.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"ChangeRoleResult","doc":"The command was carried out.","fields":[{"name":"role","type":"string","doc":"The role's name."},{"name":"permissions","type":{"type":"array","items":"string"},"doc":"All that it permits now, in the order of the names."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.delete-role": {
    request: {"type":"record","namespace":"auth.admin","name":"DeleteRoleRequest","doc":"Deletes a role that no user has.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"role","type":"string","doc":"The role's name: a lower-case letter, then lower-case letters, digits or dashes, 32 at most.","maxBytes":128},{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"DeleteRoleReply","doc":"Answer to auth.admin.delete-role.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"DeleteRoleResult","doc":"The command was carried out.","fields":[{"name":"role","type":"string","doc":"The name of the deleted role."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.delete-user": {
    request: {"type":"record","namespace":"auth.admin","name":"DeleteUserRequest","doc":"Deletes a user permanently, with account, password and roles; all sessions end.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"target","doc":"The user that this is about: their login, or id: and their number, such as id:17."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"DeleteUserReply","doc":"Answer to auth.admin.delete-user.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"DeleteUserResult","doc":"The command was carried out.","fields":[{"name":"userId","type":"long","doc":"Id of the user."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.export-user": {
    request: {"type":"record","namespace":"auth.admin","name":"ExportUserRequest","doc":"Exports everything that is stored about a user who has asked for it: the document of auth.account.export.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"target","doc":"The user that this is about: their login, or id: and their number, such as id:17."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"reason","type":"string","doc":"Why, for the audit: 1 to 1000 characters.","maxBytes":4000,"text":"lines"},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"ExportUserReply","doc":"Answer to auth.admin.export-user.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"ExportUserResult","doc":"The export as auth.account.export returns it: document is a JSON text with account, roles, credentials, links, sessions and history (lists are ordered newest first), and with leftOut, which says for each list that was too long from when on its entries are missing.","sealedFields":[{"name":"document","doc":"Everything that is stored about the user, as JSON."}],"fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.find-users": {
    request: {"type":"record","namespace":"auth.admin","name":"FindUsersRequest","doc":"Finds users, a page at a time. search: the beginning of a login or an e-mail address, id:<number>, or empty for all; cursor: where the page before ended, empty for the first one. In the order of logins; those found by their address alone come after the others, in the order of addresses.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"search","doc":"How the login or the e-mail address begins, or id: and a number; empty: all users."},{"name":"cursor","doc":"Where the page before ended, as its reply said; empty: the first page."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"state","type":"string","doc":"Only users in this state: unconfirmed, active or banned; empty: any. Who is banned is banned whether confirmed or not.","default":""},{"name":"limit","type":"int","doc":"Users on a page, 1 to 200.","default":50},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"FindUsersReply","doc":"Answer to auth.admin.find-users.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"FindUsersResult","doc":"The command was carried out.","sealedFields":[{"name":"users.username","doc":"Name to show."},{"name":"users.email","doc":"E-mail address of the account."},{"name":"cursor","doc":"What the request for the next page takes; empty: this is the last page."}],"fields":[{"name":"users","type":{"type":"array","items":{"type":"record","namespace":"auth.admin","name":"FoundUser","doc":"A user in a list; names and address are sealed.","fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"login","type":"string","doc":"The user's login."},{"name":"isActive","type":"boolean","doc":"False while the user is banned."},{"name":"isVerified","type":"boolean","doc":"Whether the account is confirmed."},{"name":"bannedUntil","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"doc":"When the ban ends by itself; null: it does not, or there is none.","default":null},{"name":"roles","type":{"type":"array","items":"string"},"doc":"The user's roles."},{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the account was made."}]}},"doc":"A page of users; there may be fewer than `limit` on a page that is not the last. The sealed cursor is for the next page; empty: this is the last one."},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.get-user": {
    request: {"type":"record","namespace":"auth.admin","name":"GetUserRequest","doc":"Shows one user to an administrator or operator.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"target","doc":"The user that this is about: their login, or id: and their number, such as id:17."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"GetUserReply","doc":"Answer to auth.admin.get-user.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"GetUserResult","doc":"The command was carried out.","sealedFields":[{"name":"username","doc":"Name to show."},{"name":"email","doc":"E-mail address of the account."}],"fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"login","type":"string","doc":"The user's login."},{"name":"isActive","type":"boolean","doc":"False while the user is banned."},{"name":"isVerified","type":"boolean","doc":"Whether the account is confirmed."},{"name":"roles","type":{"type":"array","items":"string"},"doc":"The user's roles."},{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the account was made."},{"name":"bannedUntil","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"doc":"When the ban ends by itself; null: it does not, or there is none.","default":null},{"name":"banReason","type":"string","doc":"Why the user is banned; empty: not banned, or no reason was given.","default":""},{"name":"sessions","type":"int","doc":"How many sessions of the user go on.","default":0},{"name":"lastAdmin","type":"boolean","doc":"Whether this is the last user with the role admin who can log in.","default":false},{"name":"locale","type":["null","string"],"doc":"Language the user is written to in (BCP 47); null: the fleet's.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.list-operators": {
    request: {"type":"record","namespace":"auth.admin","name":"ListOperatorsRequest","doc":"All operators with what they may do and their keys.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"ListOperatorsReply","doc":"Answer to auth.admin.list-operators.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"ListOperatorsResult","doc":"All operators, by name.","fields":[{"name":"operators","type":{"type":"array","items":{"type":"record","namespace":"auth.admin","name":"Operator","doc":"An operator: a person who administers the fleet with a key of their own.","fields":[{"name":"name","type":"string","doc":"The operator's name."},{"name":"permissions","type":{"type":"array","items":"string"},"doc":"What the operator may do; one item * is everything."},{"name":"keys","type":{"type":"array","items":{"type":"record","namespace":"auth.admin","name":"OperatorKey","doc":"A public key of an operator.","fields":[{"name":"kid","type":"string","doc":"Its thumbprint (RFC 7638)."},{"name":"alg","type":"string","doc":"ES256 or EdDSA."},{"name":"addedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was added."}]}},"doc":"Keys by which the operator signs."}]}},"doc":"At most 200."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.list-roles": {
    request: {"type":"record","namespace":"auth.admin","name":"ListRolesRequest","doc":"Lists all roles with what they permit.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"ListRolesReply","doc":"Answer to auth.admin.list-roles.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"ListRolesResult","doc":"The command was carried out.","fields":[{"name":"roles","type":{"type":"array","items":{"type":"record","namespace":"auth.admin","name":"Role","doc":"A role and what it permits.","fields":[{"name":"name","type":"string","doc":"The role's name."},{"name":"permissions","type":{"type":"array","items":"string"},"doc":"What it permits, in the order of the names."}]}},"doc":"The roles, in the order of their names."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.list-sessions": {
    request: {"type":"record","namespace":"auth.admin","name":"ListSessionsRequest","doc":"Lists the sessions of a user that go on, the newest first, a page at a time.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"target","doc":"The user that this is about: their login, or id: and their number, such as id:17."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"cursor","type":["null","string"],"doc":"Where the page before ended, as its reply said; null: the first page.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"ListSessionsReply","doc":"Answer to auth.admin.list-sessions.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"ListSessionsResult","doc":"The command was carried out.","fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sessions","type":{"type":"array","items":{"type":"record","namespace":"auth","name":"Session","doc":"A session that goes on.","fields":[{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."},{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was opened."},{"name":"lastUsedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was last refreshed, or opened."},{"name":"expiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it ends if it is not used before."},{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device as the requester described it when the session was opened.","default":null},{"name":"current","type":"boolean","doc":"Whether it is the session of the access token that asks."}]}},"doc":"A page of sessions."},{"name":"cursor","type":["null","string"],"doc":"For the next page; null: this is the last one.","default":null}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.remove-operator": {
    request: {"type":"record","namespace":"auth.admin","name":"RemoveOperatorRequest","doc":"Removes an operator, or one of their keys, with effect from the next request on. The actor must have every permission of the operator.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"name","type":"string","doc":"The operator's name: 1 to 64 letters, digits or . _ @ -","maxBytes":64},{"name":"kid","type":["null","string"],"doc":"The key to remove; null, or the last one, removes the operator.","maxBytes":64,"default":null},{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"RemoveOperatorReply","doc":"Answer to auth.admin.remove-operator.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"RemoveOperatorResult","doc":"The operator or the key was removed.","fields":[{"name":"name","type":"string","doc":"The operator's name."},{"name":"removed","type":"boolean","doc":"Whether the operator was removed, and not only the key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.require-mfa": {
    request: {"type":"record","namespace":"auth.admin","name":"RequireMfaRequest","doc":"Sets whether a role counts only in sessions that were opened with a second factor.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"role","type":"string","doc":"Name of the role.","maxBytes":128},{"name":"required","type":"boolean","doc":"Whether a second factor is required."},{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"RequireMfaReply","doc":"Answer to auth.admin.require-mfa.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"RequireMfaResult","doc":"The command was carried out.","fields":[{"name":"role","type":"string","doc":"Name of the role."},{"name":"required","type":"boolean","doc":"Whether a second factor is required now."},{"name":"without","type":"long","doc":"How many users of the role have no second factor yet."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.reset-mfa": {
    request: {"type":"record","namespace":"auth.admin","name":"ResetMfaRequest","doc":"Removes every second factor of a user who has lost them, and ends all their sessions. The password stays.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"target","doc":"The user that this is about: their login, or id: and their number, such as id:17."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"ResetMfaReply","doc":"Answer to auth.admin.reset-mfa.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"ResetMfaResult","doc":"The command was carried out.","fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"hadFactors","type":"boolean","doc":"False: the user had none, and nothing changed."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.revoke-sessions": {
    request: {"type":"record","namespace":"auth.admin","name":"RevokeSessionsRequest","doc":"Ends all sessions of a user, or one of them. The user may log in again.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"target","doc":"The user that this is about: their login, or id: and their number, such as id:17."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"sessionId","type":["null","string"],"doc":"Id of the session that ends (UUID); null: all.","default":null},{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"RevokeSessionsReply","doc":"Answer to auth.admin.revoke-sessions.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"RevokeSessionsResult","doc":"The command was carried out.","fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"ended","type":"int","doc":"How many sessions ended."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.set-roles": {
    request: {"type":"record","namespace":"auth.admin","name":"SetRolesRequest","doc":"Gives a user exactly these roles; access tokens from before stop counting.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"target","doc":"The user that this is about: their login, or id: and their number, such as id:17."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"roles","type":{"type":"array","items":"string"},"doc":"All roles the user shall have.","maxBytes":128,"maxItems":100},{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"SetRolesReply","doc":"Answer to auth.admin.set-roles.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"SetRolesResult","doc":"The command was carried out.","fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"roles","type":{"type":"array","items":"string"},"doc":"The roles the user has now."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.unban-user": {
    request: {"type":"record","namespace":"auth.admin","name":"UnbanUserRequest","doc":"Lifts the ban of a user. Sessions that the ban ended stay over.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"target","doc":"The user that this is about: their login, or id: and their number, such as id:17."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"UnbanUserReply","doc":"Answer to auth.admin.unban-user.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"UnbanUserResult","doc":"The command was carried out.","fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"wasBanned","type":"boolean","doc":"False: there was no ban, and nothing changed."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.admin.unlock-user": {
    request: {"type":"record","namespace":"auth.admin","name":"UnlockUserRequest","doc":"Clears the failed attempts at a user's password and codes, which ends every wait. Known devices stay known.","sealedFields":[{"name":"actorToken","doc":"The actor: an access token of a user with the permission, or an operator's token.","maxBytes":8192},{"name":"target","doc":"The user that this is about: their login, or id: and their number, such as id:17."}],"recordKey":{"kind":"user","field":"actorToken"},"fields":[{"name":"reason","type":"string","doc":"Why, for the audit.","maxBytes":4000,"text":"lines","default":""},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.admin","name":"UnlockUserReply","doc":"Answer to auth.admin.unlock-user.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.admin","name":"UnlockUserResult","doc":"The command was carried out.","fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"failedAttempts","type":"int","doc":"How many failed attempts were forgotten: those at the password within 24 hours, and wrong codes of the authenticator app in a row; 0: there were none, and nothing changed."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.key.list": {
    request: {"type":"record","namespace":"auth.key","name":"ListRequest","doc":"Lists the fleet's public keys.","fields":[]},
    reply: {"type":"record","namespace":"auth.key","name":"ListReply","doc":"Answer to auth.key.list.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.key","name":"ListResult","doc":"The command was carried out.","fields":[{"name":"jwks","type":"string","doc":"JSON Web Key Set (RFC 7517): keys with use \"sig\" verify access tokens, keys with use \"enc\" seal requests."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.mfa.activate": {
    request: {"type":"record","namespace":"auth.mfa","name":"ActivateRequest","doc":"Activates the authenticator app that auth.mfa.enroll gave the secret of, by a code it shows. From then on logging in needs a second factor. New recovery codes replace any others.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192},{"name":"code","doc":"The code that the authenticator app shows."}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"endOthers","type":"boolean","doc":"Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh.","default":true},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.mfa","name":"ActivateReply","doc":"Answer to auth.mfa.activate.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.mfa","name":"ActivateResult","doc":"The command was carried out.","sealedFields":[{"name":"codes","doc":"The recovery codes; each works once. They are shown here only."}],"sealedLists":["codes"],"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.mfa.disable": {
    request: {"type":"record","namespace":"auth.mfa","name":"DisableRequest","doc":"Removes the authenticator app of an access token's user; the recovery codes go with the last factor.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"endOthers","type":"boolean","doc":"Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh.","default":true},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.mfa","name":"DisableReply","doc":"Answer to auth.mfa.disable.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.mfa","name":"DisableResult","doc":"The command was carried out.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.mfa.enroll": {
    request: {"type":"record","namespace":"auth.mfa","name":"EnrollRequest","doc":"Begins to set up an authenticator app (TOTP) for an access token's user: returns its secret. It has no effect until auth.mfa.activate.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.mfa","name":"EnrollReply","doc":"Answer to auth.mfa.enroll.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.mfa","name":"EnrollResult","doc":"The command was carried out.","sealedFields":[{"name":"secret","doc":"The secret for the authenticator app, in base 32."},{"name":"uri","doc":"The same as an otpauth:// URI, for a QR code."}],"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.mfa.recovery-codes": {
    request: {"type":"record","namespace":"auth.mfa","name":"RecoveryCodesRequest","doc":"Gives an access token's user new recovery codes; those from before stop working.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.mfa","name":"RecoveryCodesReply","doc":"Answer to auth.mfa.recovery-codes.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.mfa","name":"RecoveryCodesResult","doc":"The command was carried out.","sealedFields":[{"name":"codes","doc":"The recovery codes; each works once. They are shown here only."}],"sealedLists":["codes"],"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.passkey.begin-login": {
    request: {"type":"record","namespace":"auth.passkey","name":"BeginLoginRequest","doc":"Begins a login with a passkey: instead of a password, or as the second factor that a challenge of auth.session.login asks for. An unknown login is answered as any other.","sealedFields":[{"name":"login","doc":"The account's login, or the e-mail address of a confirmed account; empty: the passkey identifies the account."},{"name":"challenge","doc":"The challenge of auth.session.login that the passkey shall answer; empty: the passkey is used instead of a password."}],"recordKey":{"kind":"login","field":"login"},"fields":[{"name":"rotating","type":"boolean","doc":"Whether the session's refresh token changes at each refresh. False: it stays, and the session ends absolutely after AUTH_COOKIE_MAX_AGE. With a challenge, its login request decides.","default":true},{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; shown in session lists. With a challenge, its login request decides.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.passkey","name":"BeginLoginReply","doc":"Answer to auth.passkey.begin-login.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.passkey","name":"BeginLoginResult","doc":"The command was carried out.","sealedFields":[{"name":"options","doc":"What the browser's credentials call takes, as JSON."},{"name":"challenge","doc":"To be sent back with the browser's response."}],"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.passkey.begin-registration": {
    request: {"type":"record","namespace":"auth.passkey","name":"BeginRegistrationRequest","doc":"Begins to register a passkey for an access token's user.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.passkey","name":"BeginRegistrationReply","doc":"Answer to auth.passkey.begin-registration.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.passkey","name":"BeginRegistrationResult","doc":"The command was carried out.","sealedFields":[{"name":"options","doc":"What the browser's credentials call takes, as JSON."},{"name":"challenge","doc":"To be sent back with the browser's response."}],"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.passkey.finish-login": {
    request: {"type":"record","namespace":"auth.passkey","name":"FinishLoginRequest","doc":"Answers the challenge of auth.passkey.begin-login with a passkey, and opens the session.","sealedFields":[{"name":"challenge","doc":"The challenge that begin-login gave."},{"name":"response","doc":"What navigator.credentials.get() gave, as JSON.","maxBytes":16384,"text":"json"}],"recordKey":{"kind":"token","field":"challenge"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.passkey","name":"FinishLoginReply","doc":"Answer to auth.passkey.finish-login.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.passkey","name":"FinishLoginResult","doc":"The command was carried out.","sealedFields":[{"name":"accessToken","doc":"Access token (JWT) of the session."},{"name":"refreshToken","doc":"Refresh token of the session."},{"name":"deviceToken","doc":"Identifies the user's device to the fleet for 90 d: send it back as header auth-device. It authorises nothing."}],"fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."},{"name":"accessExpiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the access token ends."},{"name":"refreshExpiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the refresh token ends, if it is not used before."},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.passkey.finish-registration": {
    request: {"type":"record","namespace":"auth.passkey","name":"FinishRegistrationRequest","doc":"Registers the passkey that answers auth.passkey.begin-registration. From then on logging in needs a second factor, or the passkey alone.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192},{"name":"challenge","doc":"The challenge that begin-registration gave."},{"name":"response","doc":"What navigator.credentials.create() gave, as JSON.","maxBytes":16384,"text":"json"}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"label","type":"string","doc":"What its owner calls it, up to 64 characters.","default":""},{"name":"endOthers","type":"boolean","doc":"Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh.","default":true},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.passkey","name":"FinishRegistrationReply","doc":"Answer to auth.passkey.finish-registration.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.passkey","name":"FinishRegistrationResult","doc":"The command was carried out.","fields":[{"name":"passkeyId","type":"string","doc":"Id of the passkey (UUID)."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.passkey.list": {
    request: {"type":"record","namespace":"auth.passkey","name":"ListRequest","doc":"Lists the second factors of an access token's user.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.passkey","name":"ListReply","doc":"Answer to auth.passkey.list.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.passkey","name":"ListResult","doc":"The command was carried out.","fields":[{"name":"passkeys","type":{"type":"array","items":{"type":"record","namespace":"auth","name":"Passkey","doc":"A passkey of a user.","fields":[{"name":"passkeyId","type":"string","doc":"Id of the passkey (UUID)."},{"name":"label","type":"string","doc":"What its owner calls it."},{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was registered."},{"name":"lastUsedAt","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"doc":"When it was last used.","default":null},{"name":"synced","type":"boolean","doc":"Whether it may be on several devices of its owner, as its authenticator says."}]}},"doc":"The user's passkeys, the oldest first."},{"name":"authenticatorApp","type":"boolean","doc":"Whether an authenticator app is active."},{"name":"recoveryLeft","type":"int","doc":"How many recovery codes are unused."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.passkey.remove": {
    request: {"type":"record","namespace":"auth.passkey","name":"RemoveRequest","doc":"Removes a passkey of an access token's user; the recovery codes go with the last factor.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"passkeyId","type":"string","doc":"Id of the passkey (UUID)."},{"name":"endOthers","type":"boolean","doc":"Whether the user's other sessions end. This one goes on, and gets a current access token at its next refresh.","default":true},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.passkey","name":"RemoveReply","doc":"Answer to auth.passkey.remove.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.passkey","name":"RemoveResult","doc":"The command was carried out.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.password.change": {
    request: {"type":"record","namespace":"auth.password","name":"ChangeRequest","doc":"Changes the password of an access token's user. All other sessions end; this one goes on and gets a current access token at its next refresh.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192},{"name":"currentPassword","doc":"The password that the account has, as the user types it.","text":"secret"},{"name":"newPassword","doc":"The password that the account shall have.","text":"secret"}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.password","name":"ChangeReply","doc":"Answer to auth.password.change.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.password","name":"ChangeResult","doc":"The command was carried out.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.password.forgot": {
    request: {"type":"record","namespace":"auth.password","name":"ForgotRequest","doc":"Asks for a link to set a new password with. Always ok, so that nobody learns which addresses have accounts.","sealedFields":[{"name":"email","doc":"E-mail address of the account."}],"recordKey":{"kind":"email","field":"email"},"fields":[{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; limits count by its network.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.password","name":"ForgotReply","doc":"Answer to auth.password.forgot.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.password","name":"ForgotResult","doc":"The command was carried out.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.password.reset": {
    request: {"type":"record","namespace":"auth.password","name":"ResetRequest","doc":"Sets a new password by the token of a reset link, once. All sessions end and none is opened; second factors stay as they are.","sealedFields":[{"name":"token","doc":"The token of the link that was mailed."},{"name":"newPassword","doc":"The password that the account shall have.","text":"secret"}],"recordKey":{"kind":"token","field":"token"},"fields":[{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; limits count by its network.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.password","name":"ResetReply","doc":"Answer to auth.password.reset.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.password","name":"ResetResult","doc":"The command was carried out.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.session.inspect": {
    request: {"type":"record","namespace":"auth.session","name":"InspectRequest","doc":"Returns the identity of an access token, if it is valid now.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"session","field":"accessToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.session","name":"InspectReply","doc":"Answer to auth.session.inspect.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.session","name":"InspectResult","doc":"The command was carried out.","fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"login","type":"string","doc":"The user's login."},{"name":"isActive","type":"boolean","doc":"Whether the user may use the account; true for every valid token."},{"name":"isVerified","type":"boolean","doc":"Whether the account is confirmed; true for every valid token."},{"name":"roles","type":{"type":"array","items":"string"},"doc":"The user's roles."},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."},{"name":"expiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the access token ends."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.session.list": {
    request: {"type":"record","namespace":"auth.session","name":"ListRequest","doc":"Lists the sessions of an access token's user that go on, the newest first, a page at a time.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"cursor","type":["null","string"],"doc":"Where the page before ended, as its reply said; null: the first page.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.session","name":"ListReply","doc":"Answer to auth.session.list.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.session","name":"ListResult","doc":"The command was carried out.","fields":[{"name":"sessions","type":{"type":"array","items":{"type":"record","namespace":"auth","name":"Session","doc":"A session that goes on.","fields":[{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."},{"name":"createdAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was opened."},{"name":"lastUsedAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was last refreshed, or opened."},{"name":"expiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it ends if it is not used before."},{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device as the requester described it when the session was opened.","default":null},{"name":"current","type":"boolean","doc":"Whether it is the session of the access token that asks."}]}},"doc":"A page of sessions."},{"name":"cursor","type":["null","string"],"doc":"For the next page; null: this is the last one.","default":null}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.session.login-mfa": {
    request: {"type":"record","namespace":"auth.session","name":"LoginMfaRequest","doc":"Answers the challenge of auth.session.login with a code, and opens the session.","sealedFields":[{"name":"challenge","doc":"The challenge that the login's reply gave."},{"name":"code","doc":"A code of the authenticator app, or one of the recovery codes."}],"recordKey":{"kind":"token","field":"challenge"},"fields":[{"name":"method","type":"string","doc":"What the code is of: totp or recovery. A passkey answers by auth.passkey.begin-login and finish-login."},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.session","name":"LoginMfaReply","doc":"Answer to auth.session.login-mfa.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.session","name":"LoginMfaResult","doc":"The command was carried out.","sealedFields":[{"name":"accessToken","doc":"Access token (JWT) of the session."},{"name":"refreshToken","doc":"Refresh token of the session."},{"name":"deviceToken","doc":"Identifies the user's device to the fleet for 90 d: send it back as header auth-device. It authorises nothing."}],"fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."},{"name":"accessExpiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the access token ends."},{"name":"refreshExpiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the refresh token ends, if it is not used before."},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.session.login": {
    request: {"type":"record","namespace":"auth.session","name":"LoginRequest","doc":"Exchanges a login and password for a session.","sealedFields":[{"name":"password","doc":"The password as the user types it.","text":"secret"}],"recordKey":{"kind":"login","field":"login"},"fields":[{"name":"login","type":"string","doc":"The account's login, in any case; or the e-mail address of a confirmed account, up to 254 characters."},{"name":"rotating","type":"boolean","doc":"Whether the session's refresh token changes at each refresh. False: it stays, and the session ends absolutely after AUTH_COOKIE_MAX_AGE.","default":true},{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; shown in session lists.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.session","name":"LoginReply","doc":"Answer to auth.session.login.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.session","name":"LoginResult","doc":"The command was carried out.","sealedFields":[{"name":"tokens.accessToken","doc":"Access token (JWT) of the session."},{"name":"tokens.refreshToken","doc":"Refresh token of the session."},{"name":"tokens.deviceToken","doc":"Identifies the user's device to the fleet for 90 d: send it back as header auth-device. It authorises nothing."},{"name":"challenge.challenge","doc":"To be sent back with the answer."}],"fields":[{"name":"tokens","type":["null",{"type":"record","namespace":"auth","name":"Tokens","doc":"A session's tokens; the tokens themselves are sealed.","fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."},{"name":"accessExpiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the access token ends."},{"name":"refreshExpiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the refresh token ends, if it is not used before."}]}],"doc":"The session, if no second factor is needed.","default":null},{"name":"challenge","type":["null",{"type":"record","namespace":"auth","name":"MfaChallenge","doc":"A second factor is needed; the challenge itself is sealed.","fields":[{"name":"methods","type":{"type":"array","items":"string"},"doc":"Factors that will do, e.g. totp."}]}],"doc":"What to answer with auth.session.login-mfa, if a second factor is needed.","default":null},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.session.logout": {
    request: {"type":"record","namespace":"auth.session","name":"LogoutRequest","doc":"Ends the session of an access token, or all sessions of its user.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"everywhere","type":"boolean","doc":"Whether all sessions of the user end.","default":false},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.session","name":"LogoutReply","doc":"Answer to auth.session.logout.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.session","name":"LogoutResult","doc":"The command was carried out.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.session.refresh": {
    request: {"type":"record","namespace":"auth.session","name":"RefreshRequest","doc":"Exchanges a refresh token for a new access token, and in a rotating session for a new refresh token.","sealedFields":[{"name":"refreshToken","doc":"The session's newest refresh token."}],"recordKey":{"kind":"session","field":"refreshToken"},"fields":[{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.session","name":"RefreshReply","doc":"Answer to auth.session.refresh.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.session","name":"RefreshResult","doc":"The command was carried out.","sealedFields":[{"name":"accessToken","doc":"Access token (JWT) of the session."},{"name":"refreshToken","doc":"Refresh token of the session."},{"name":"deviceToken","doc":"Identifies the user's device to the fleet for 90 d: send it back as header auth-device. It authorises nothing."}],"fields":[{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."},{"name":"accessExpiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the access token ends."},{"name":"refreshExpiresAt","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When the refresh token ends, if it is not used before."},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds the sealed fields of this result; to the request's auth-reply-key."}]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
  "auth.session.revoke": {
    request: {"type":"record","namespace":"auth.session","name":"RevokeRequest","doc":"Ends another session of an access token's user, or all others. Exactly one of sessionId and others must be set.","sealedFields":[{"name":"accessToken","doc":"Access token of the session that asks.","maxBytes":8192}],"recordKey":{"kind":"user","field":"accessToken"},"fields":[{"name":"sessionId","type":["null","string"],"doc":"Id of the session that ends (UUID).","default":null},{"name":"others","type":"boolean","doc":"Whether all sessions end but the access token's own.","default":false},{"name":"sealed","type":"string","doc":"JWE (compact) over one JSON object that holds ALL fields of this request, the sealed ones included; to a fleet key with use \"enc\".","maxBytes":65536,"text":"secret"}]},
    reply: {"type":"record","namespace":"auth.session","name":"RevokeReply","doc":"Answer to auth.session.revoke.","fields":[{"name":"outcome","type":[{"type":"record","namespace":"auth.session","name":"RevokeResult","doc":"The command was carried out.","fields":[]},{"type":"record","namespace":"auth","name":"Refusal","doc":"Why a command was not carried out.","fields":[{"name":"code","type":"string","doc":"One of the refusal codes, e.g. INVALID_CREDENTIALS. A string, so that new codes break no reader."},{"name":"message","type":"string","doc":"For people; may change. Programs read the code."},{"name":"retryAfterMs","type":["null","long"],"doc":"Earliest time at which asking again makes sense, in ms from now. With THROTTLED and OVERLOADED.","default":null},{"name":"details","type":{"type":"map","values":"string"},"doc":"More about the refusal, e.g. field: which field was wrong.","default":{}}]}],"doc":"The result, or why there is none."}]},
  },
} as const;

export const eventSchemas = {
  AdminRefused: {"type":"record","namespace":"auth.event","name":"AdminRefused","doc":"An administrative command was refused: the actor lacks a permission or a second factor, or the token does not count. Key of the record: the actor.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":["null","long"],"doc":"Always null: the event is about the actor.","default":null},{"name":"sequence","type":["null","long"],"doc":"Always null.","default":null},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, or anonymous where the token is not valid."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"command","type":"string","doc":"The command, as its topic ends: ban-user. Empty where `more` counts attempts."},{"name":"target","type":"string","doc":"The target: id:<user id> or role:<name>; empty where it does not exist, or the command has no target."},{"name":"code","type":"string","doc":"The refusal's code. Empty where `more` counts attempts."},{"name":"permission","type":["null","string"],"doc":"The permission that was lacking, where it was one.","default":null},{"name":"more","type":"int","doc":"Attempts of the actor within the minute before that have no event of their own, because there were too many. Otherwise 0.","default":0}]},
  ConfirmationRequested: {"type":"record","namespace":"auth.event","name":"ConfirmationRequested","doc":"Another confirmation link was asked for and goes out.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null}]},
  DataExported: {"type":"record","namespace":"auth.event","name":"DataExported","doc":"Everything that is stored about a user was exported: by the user, or by an administrator or operator for them.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"sessionId","type":"string","doc":"Session in which the user asked for it; empty where an administrator or operator took it."},{"name":"reason","type":"string","doc":"What an administrator or operator gave as the reason; else empty.","default":""}]},
  EmailChangeRequested: {"type":"record","namespace":"auth.event","name":"EmailChangeRequested","doc":"A user asked for another e-mail address. Nothing has changed yet.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null}]},
  EmailChanged: {"type":"record","namespace":"auth.event","name":"EmailChanged","doc":"A user's e-mail address was changed. No event contains the address.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null}]},
  LoggedIn: {"type":"record","namespace":"auth.event","name":"LoggedIn","doc":"A session was opened.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."},{"name":"login","type":"string","doc":"The user's login."},{"name":"method","type":"string","doc":"How: password or confirmation; password+totp, password+recovery, password+passkey; passkey."},{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; shown in session lists.","default":null}]},
  LoggedOut: {"type":"record","namespace":"auth.event","name":"LoggedOut","doc":"A user ended sessions.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."},{"name":"everywhere","type":"boolean","doc":"Whether all sessions of the user ended."}]},
  LoginChallenged: {"type":"record","namespace":"auth.event","name":"LoginChallenged","doc":"A password was right, and a second factor was asked for.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"login","type":"string","doc":"The user's login."},{"name":"methods","type":{"type":"array","items":"string"},"doc":"Factors that will do: totp, passkey, recovery."},{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; shown in session lists.","default":null}]},
  LoginRefused: {"type":"record","namespace":"auth.event","name":"LoginRefused","doc":"A login was refused.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":["null","long"],"doc":"Id of the user; null where the login is unknown.","default":null},{"name":"sequence","type":["null","long"],"doc":"Number of the event among those of its user, without gaps; null where the login is unknown.","default":null},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"login","type":"string","doc":"Login that was tried, normalised: the account's where there is one, also where its e-mail address was typed; empty for an address that no account has."},{"name":"code","type":"string","doc":"The refusal's code."},{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; shown in session lists.","default":null}]},
  MfaChanged: {"type":"record","namespace":"auth.event","name":"MfaChanged","doc":"The second factors of a user changed.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"change","type":"string","doc":"totp-activated, totp-disabled, recovery-codes, passkey-added, passkey-removed or reset."},{"name":"sessionId","type":["null","string"],"doc":"The session in which it was done; it goes on.","default":null}]},
  MfaRefused: {"type":"record","namespace":"auth.event","name":"MfaRefused","doc":"A second factor, or a passkey, was refused.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":["null","long"],"doc":"Id of the user; null where the login is unknown.","default":null},{"name":"sequence","type":["null","long"],"doc":"Number of the event among those of its user, without gaps; null where the login is unknown.","default":null},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"method","type":"string","doc":"totp, recovery or passkey."},{"name":"reason","type":"string","doc":"wrong, replayed (a code that was used before), absent (the user has no such factor), or counter (a passkey whose counter went back: it may have been copied)."},{"name":"client","type":["null",{"type":"record","namespace":"auth","name":"Client","doc":"What the requester knows of the device that is being served.","fields":[{"name":"ip","type":["null","string"],"doc":"IP address of the device; brackets, a port and a zone are taken off.","default":null},{"name":"userAgent","type":["null","string"],"doc":"User-Agent of the device: at most 512 characters.","maxBytes":2048,"default":null},{"name":"device","type":["null","string"],"doc":"A name or an id of the device that its owner recognises: at most 256 characters.","default":null}]}],"doc":"The device that is being served; shown in session lists.","default":null}]},
  MfaRequirementChanged: {"type":"record","namespace":"auth.event","name":"MfaRequirementChanged","doc":"A role began or ceased to require a second factor.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":["null","long"],"doc":"Id of the user; null where the login is unknown.","default":null},{"name":"sequence","type":["null","long"],"doc":"Number of the event among those of its user, without gaps; null where the login is unknown.","default":null},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"role","type":"string","doc":"Name of the role."},{"name":"required","type":"boolean","doc":"Whether a second factor is required now."},{"name":"reason","type":"string","doc":"Why, for the audit."}]},
  OperatorAdded: {"type":"record","namespace":"auth.event","name":"OperatorAdded","doc":"An operator was enrolled, or has another key. Key of the record: operator:<name>.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":["null","long"],"doc":"Always null: an operator is no user.","default":null},{"name":"sequence","type":["null","long"],"doc":"Always null.","default":null},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, or system:master-key for the first operator."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"operator","type":"string","doc":"The operator's name."},{"name":"kid","type":"string","doc":"Thumbprint (RFC 7638) of the key that was added."},{"name":"permissions","type":{"type":"array","items":"string"},"doc":"All that the operator may do now; * is everything."},{"name":"reason","type":"string","doc":"Why it was done."}]},
  OperatorRemoved: {"type":"record","namespace":"auth.event","name":"OperatorRemoved","doc":"An operator, or one of their keys, was removed. Key of the record: operator:<name>.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":["null","long"],"doc":"Always null: an operator is no user.","default":null},{"name":"sequence","type":["null","long"],"doc":"Always null.","default":null},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, or system:master-key for the first operator."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"operator","type":"string","doc":"The operator's name."},{"name":"kid","type":["null","string"],"doc":"The removed key; null: the operator with all keys.","default":null},{"name":"reason","type":"string","doc":"Why it was done."}]},
  PasswordChanged: {"type":"record","namespace":"auth.event","name":"PasswordChanged","doc":"A user changed the password; other sessions ended.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"sessionId","type":["null","string"],"doc":"The session in which it was changed; it goes on.","default":null}]},
  PasswordRefused: {"type":"record","namespace":"auth.event","name":"PasswordRefused","doc":"A request with an access token had a wrong password, which the command requires as well.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."}]},
  PasswordReset: {"type":"record","namespace":"auth.event","name":"PasswordReset","doc":"A user set a new password by the link in a mail; all sessions of the user ended.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null}]},
  PasswordResetRequested: {"type":"record","namespace":"auth.event","name":"PasswordResetRequested","doc":"A link to set a new password with was asked for. Without a user where the address has no confirmed account; then no mail goes out.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":["null","long"],"doc":"Id of the user; null where the address has no account.","default":null},{"name":"sequence","type":["null","long"],"doc":"Number of the event among those of its user, without gaps; null where the address has no account.","default":null},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"mailed","type":"boolean","doc":"Whether a mail goes out: not to an address without an account, and not beyond AUTH_MAILS_PER_HOUR."}]},
  RefreshReused: {"type":"record","namespace":"auth.event","name":"RefreshReused","doc":"A refresh token was used that had been replaced before: the session was ended.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."}]},
  RoleChanged: {"type":"record","namespace":"auth.event","name":"RoleChanged","doc":"What a role permits changed, or the role is new. Key of the record: role:<name>.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":["null","long"],"doc":"Always null: a role has no user.","default":null},{"name":"sequence","type":["null","long"],"doc":"Always null.","default":null},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"role","type":"string","doc":"The role's name."},{"name":"permissions","type":{"type":"array","items":"string"},"doc":"All that it permits now."},{"name":"reason","type":"string","doc":"Why it was done."}]},
  RoleDeleted: {"type":"record","namespace":"auth.event","name":"RoleDeleted","doc":"A role that no user had was deleted. Key of the record: role:<name>.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":["null","long"],"doc":"Always null: a role has no user.","default":null},{"name":"sequence","type":["null","long"],"doc":"Always null.","default":null},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"role","type":"string","doc":"The role's name."},{"name":"reason","type":"string","doc":"Why it was done."}]},
  RolesChanged: {"type":"record","namespace":"auth.event","name":"RolesChanged","doc":"A user's roles changed.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"roles","type":{"type":"array","items":"string"},"doc":"All roles the user has now."},{"name":"reason","type":"string","doc":"Why it was done."}]},
  SessionRefreshed: {"type":"record","namespace":"auth.event","name":"SessionRefreshed","doc":"A session got new tokens.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"sessionId","type":"string","doc":"Id of the session (UUID)."}]},
  SessionsRevoked: {"type":"record","namespace":"auth.event","name":"SessionsRevoked","doc":"Sessions of a user ended other than by logging out: the user ended them, there were too many, or an administrator ended them.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"sessionIds","type":{"type":"array","items":"string"},"doc":"Ids of the sessions that ended; empty: all but `kept`, or all."},{"name":"kept","type":["null","string"],"doc":"All sessions ended but this one; null: only those listed, or all where none is.","default":null},{"name":"cause","type":"string","doc":"`user`: the user ended them; `limit`: the oldest, because there were AUTH_SESSIONS_MAX; `admin`: an administrator or operator ended them.","default":"user"},{"name":"reason","type":"string","doc":"What an administrator or operator gave as the reason; else empty.","default":""}]},
  UserBanned: {"type":"record","namespace":"auth.event","name":"UserBanned","doc":"A user was banned; all sessions ended.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"reason","type":"string","doc":"Why it was done."},{"name":"until","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"doc":"When the ban ends by itself; null: when it is lifted.","default":null}]},
  UserConfirmed: {"type":"record","namespace":"auth.event","name":"UserConfirmed","doc":"An account was confirmed by its owner.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"login","type":"string","doc":"The user's login."},{"name":"proof","type":"string","doc":"What proved, besides the link, that the person who confirmed is the one who registered: secret (of the registration), password, or none (AUTH_CONFIRM_WITHOUT_PROOF, or an account that an operator created)."}]},
  UserDeleted: {"type":"record","namespace":"auth.event","name":"UserDeleted","doc":"A user was deleted.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"reason","type":"string","doc":"Why it was done."}]},
  UserRegistered: {"type":"record","namespace":"auth.event","name":"UserRegistered","doc":"An account was made.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"login","type":"string","doc":"The user's login."}]},
  UserUnbanned: {"type":"record","namespace":"auth.event","name":"UserUnbanned","doc":"A ban was lifted.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"reason","type":"string","doc":"Why it was done."}]},
  UserUnlocked: {"type":"record","namespace":"auth.event","name":"UserUnlocked","doc":"Failed attempts at the user's password and codes were forgotten.","fields":[{"name":"eventId","type":"string","doc":"Id of the event (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it happened."},{"name":"userId","type":"long","doc":"Id of the user."},{"name":"sequence","type":"long","doc":"Number of the event among those of its user, without gaps, from 1."},{"name":"actor","type":"string","doc":"The actor: user:<id>, operator:<name>, service:<name> or anonymous."},{"name":"traceparent","type":["null","string"],"doc":"W3C trace context of the request.","default":null},{"name":"reason","type":"string","doc":"Why it was done."}]},
} as const;

export const mailSchema = {"type":"record","namespace":"auth","name":"Mail","doc":"A mail to send. All clear fields are in the seal too; a record where they differ is rejected.","sealedFields":[{"name":"token","doc":"The token of the mail's link; absent where it has none."},{"name":"username","doc":"Name to show."},{"name":"login","doc":"Of kind confirm: the login of the account."},{"name":"accounts","doc":"Of kind confirm-list: the accounts that wait with the address, the newest first, each with its login and the token of its link."},{"name":"requestAddress","doc":"The IP address that requested it; absent where the requester did not send it."},{"name":"loginAddress","doc":"Of what was done in a session: the IP address that the session was logged in to from."},{"name":"loginDevice","doc":"The same: the name of the device. Never in a mail whose receiver may be another person."}],"fields":[{"name":"mailId","type":"string","doc":"Id of the mail (UUID); the same however often it is delivered."},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was asked for."},{"name":"kind","type":"string","doc":"Which template: confirm, confirm-list, email-taken, reset, email-confirm, email-change-requested, email-changed, password-changed, password-reset, data-exported, totp-activated, totp-disabled, recovery-codes, passkey-added, passkey-removed, mfa-reset."},{"name":"to","type":"string","doc":"E-mail address of the receiver."},{"name":"locale","type":"string","doc":"Language of the receiver, BCP 47.","default":"en"},{"name":"sealed","type":"string","doc":"JWE (compact) to the fleet's key or AUTH_MAIL_SEAL_KEY, over a JSON object with the mail's secrets and all other fields of the record."}],"sealedLists":["accounts"]} as const;
