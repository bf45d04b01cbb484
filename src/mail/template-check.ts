// Checks a template before any mail is rendered: tags that do not parse, unknown placeholders, values that would be
// shown unescaped, and a missing link. Each fault is a sentence that follows the file's name.
import Mustache from "mustache";
import { asError } from "../lib/errors.ts";

export interface Allowed {
  required: readonly string[];
  optional: readonly string[];
  /** Templates that may be included. */
  partials: readonly string[];
  /** Templates that must be included. */
  requiredPartials?: readonly string[];
}

/** As Mustache.parse returns them; a section's inner tokens are its fifth member. */
type Token = [type: string, value: string, start: number, end: number, inner?: Token[] | string];

interface TemplateUse {
  /** Placeholders outside of conditions; within `accounts` as `accounts.NAME`. */
  always: Set<string>;
  partials: Set<string>;
  faults: string[];
}

/** @returns a sentence for each fault */
export function templateFaults(template: string, allowed: Allowed): string[] {
  if (/\{\{[^}]*\n/.test(template)) return ["has a tag that does not end on its line"];
  let tokens: Token[];
  try {
    tokens = Mustache.parse(template) as Token[];
  } catch (error) {
    return [`does not parse: ${asError(error).message}`];
  }
  const use: TemplateUse = { always: new Set(), partials: new Set(), faults: [] };
  walk(tokens, use, { names: new Set([...allowed.required, ...allowed.optional]), scope: "", conditional: false });
  const missing = allowed.required.filter((name) => !use.always.has(name));
  return [
    ...use.faults,
    ...[...use.partials]
      .filter((name) => !allowed.partials.includes(name))
      .map((name) => `includes {{> ${name}}}, which there is not`),
    ...missing.map(
      (name) => `does not show {{${name.replace("accounts.", "")}}}${inAccounts(name)}, or only under a condition`,
    ),
    ...(allowed.requiredPartials ?? [])
      .filter((name) => !use.partials.has(name))
      .map((name) => `does not include {{> ${name}}}`),
  ];
}

const inAccounts = (name: string): string => (name.startsWith("accounts.") ? " within {{#accounts}}" : "");

interface Scope {
  names: ReadonlySet<string>;
  /** `accounts.` within that section. */
  scope: string;
  conditional: boolean;
}

function walk(tokens: readonly Token[], use: TemplateUse, scope: Scope): void {
  for (const token of tokens) {
    const [type, value] = token;
    if (type === ">") use.partials.add(value);
    else if (type === "&") use.faults.push(`shows ${value} unescaped: write {{${value}}}`);
    else if (type === "=") use.faults.push("changes the tags: they are always {{ and }}");
    else if (type === "name") addName(value, use, scope);
    else if (type === "#" || type === "^") walkSection(token, use, scope);
  }
}

function walkSection([type, name, , , inner]: Token, use: TemplateUse, scope: Scope): void {
  addName(name, use, scope);
  const isList = type === "#" && name === "accounts";
  const within = isList ? { ...scope, scope: "accounts." } : { ...scope, conditional: true };
  walk(inner as Token[], use, within);
}

function addName(name: string, use: TemplateUse, { names, scope, conditional }: Scope): void {
  const full = names.has(scope + name) ? scope + name : name;
  if (!names.has(full)) {
    use.faults.push(`has an unknown placeholder: {{${name}}}`);
    return;
  }
  if (!conditional) use.always.add(full);
}

/** A link becomes a button (html-from-text.ts), so it needs a line of its own below its label. @returns faults */
export function linkLineFaults(text: string): string[] {
  const lines = text.split("\n").map((line) => line.trim());
  const isGood = (line: string, index: number): boolean =>
    /^\{\{\s*link\s*\}\}$/.test(line) && /[^\s}]/.test(lines[index - 1] ?? "") && (lines[index + 1] ?? "") === "";
  return lines.every((line, index) => !/\{\{\s*link\s*\}\}/.test(line) || isGood(line, index))
    ? []
    : ["needs {{link}} on a line of its own, below a line that says what it does and above an empty one"];
}

/**
 * Escaping makes a value safe as text and in quotes, but not as a tag name, an unquoted attribute, a URL or a script.
 * So tags may only contain the link and the language, in quotes. @returns faults
 */
export function htmlPlaceFaults(html: string): string[] {
  const faults: string[] = [];
  if (/<script\b|<style\b[^>]*>[^<]*\{\{/i.test(html)) faults.push("has a script, or a placeholder in a style sheet");
  if (/\b(?:src|srcset|background)\s*=|url\(|@import|<link\b/i.test(html))
    faults.push("loads something from elsewhere");
  for (const [tag] of html.matchAll(/<[a-z][^>]*>/gi))
    for (const [placeholder] of tag.replace(/"\{\{\s*(?:link|language)\s*\}\}"/g, '""').matchAll(/\{\{[^}]*\}\}/g))
      faults.push(
        `has ${placeholder} within a tag: there may be "{{link}}" and "{{language}}" only, as a whole value in quotes`,
      );
  return faults;
}
