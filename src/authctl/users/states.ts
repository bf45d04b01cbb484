// The states of a user, as users find takes them.

export const userStates = ["unconfirmed", "active", "banned"];
