// What request takes where an option is not given, and the least that a key may be.

export const defaultTimeout = "10s";
/** 128 random bits as base64url. */
export const shortestKey = 22;
