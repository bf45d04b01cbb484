// The rules for what people type in, shared by handlers. Lengths of login and username count code points after NFKC
// (NIST SP 800-63B-4, section 3.1.1.2, counts passwords so). Logging in never applies the policy: only empty and absurd input is refused there.
import isEmail from "validator/lib/isEmail.js";
import { passwordFault } from "../crypto/passwords.ts";
import { invalid, refuse } from "../errors.ts";

export const nameLength = { min: 4, max: 32 } as const;
export const maxPasswordBytes = 1024;
const maxEmailLength = 254; // RFC 5321, section 4.5.3.1.3

function codePoints(text: string): number {
  return [...text.normalize("NFKC")].length;
}

function hasControl(text: string): boolean {
  return /\p{C}/u.test(text);
}

/** @throws Refusal INVALID_INPUT */
export function checkName(field: "login" | "username", value: string): void {
  const length = codePoints(value);
  if (length < nameLength.min || length > nameLength.max) {
    throw invalid(field, `must have ${nameLength.min} to ${nameLength.max} characters`);
  }
  if (hasControl(value) || value.trim() !== value)
    throw invalid(field, "must not have control characters or outer blanks");
  if (field === "login" && /^id:\d+$/i.test(value)) throw invalid(field, "must not look like a user id (id:…)");
}

/** @throws Refusal INVALID_INPUT */
export function checkEmail(value: string): void {
  if (value.length > maxEmailLength || !isEmail.default(value)) throw invalid("email", "is not an e-mail address");
}

/** For a new password. @throws Refusal WEAK_PASSWORD or INVALID_INPUT */
export function checkNewPassword(password: string, min: number, field = "password"): void {
  switch (passwordFault(password, { min, max: maxPasswordBytes })) {
    case "short":
      throw refuse("WEAK_PASSWORD", {
        message: `The password must have at least ${min} characters.`,
        details: { field, reason: "short", min: String(min) },
      });
    case "long":
      throw invalid(field, `must not be longer than ${maxPasswordBytes} bytes`);
    case undefined:
  }
}

/** For a login attempt. @throws Refusal INVALID_INPUT */
export function checkAttempt(login: string, password: string): void {
  if (login === "" || codePoints(login) > nameLength.max) throw invalid("login", "must have 1 to 32 characters");
  checkTyped("password", password);
}

/** For a password that must be the right one. @throws Refusal INVALID_INPUT */
export function checkTyped(field: string, password: string): void {
  if (password === "" || Buffer.byteLength(password) > maxPasswordBytes) {
    throw invalid(field, `must have 1 to ${maxPasswordBytes} bytes`);
  }
}

/** @throws Refusal INVALID_INPUT where a token is empty: an empty field is a mistake, not a bad token */
export function checkToken(field: string, token: string): void {
  if (token === "") throw invalid(field, "must not be empty");
}
