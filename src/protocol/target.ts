// The target of an administrative command as typed: a login, or `id:<number>`. Both are read in the normalised form of
// logins: otherwise a login such as `id：17` (with a full-width colon) would be read as another user's id.
import { normalize } from "./record-key.ts";

export type Target = { id: number } | { loginKey: string };

export function parseTarget(text: string): Target {
  const loginKey = normalize(text);
  const id = /^id:(\d{1,15})$/.exec(loginKey)?.[1];
  return id === undefined ? { loginKey } : { id: Number(id) };
}
