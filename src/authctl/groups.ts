// The groups of commands: words that are the first of several commands, and no command by themselves.

export const groups: Readonly<Record<string, string>> = {
  users: "find, show and change users",
  sessions: "list and end a user's sessions",
  roles: "what roles permit",
  operators: "who acts with a key of their own",
  dlq: "dead letters",
  keys: "the fleet's keys",
  audit: "the record of what happened",
  schemas: "the schemas in the registry",
};
