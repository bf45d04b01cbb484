// Limits of passkeys that several commands share.

/** A device is offered all of them at every login. */
export const maxPasskeys = 10;

/**
 * The minimum duration of passkey logins. Answering made-up credentials (auth.passkey.begin-login) costs the same
 * signature and statements as answering real ones, 2 to 4 ms; only the rows found differ.
 */
export const minPasskeyLoginMs = 25;
