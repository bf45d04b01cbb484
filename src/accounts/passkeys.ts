// Limits of passkeys that several commands keep.

/** Each is offered to a device at every login. */
export const maxPasskeys = 10;

/**
 * Logins with a passkey are answered no sooner. An answer to made-up credentials (auth.passkey.begin-login) costs the
 * same signature and statements as one to real ones, 2 to 4 ms; what differs is whether rows are found.
 */
export const minPasskeyLoginMs = 25;
