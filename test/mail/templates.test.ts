// What mails say: every kind in every language, links, names that are no addresses, HTML that says what the text says.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { english } from "../../src/mail/templates/en.ts";
import { russian } from "../../src/mail/templates/ru.ts";
import { type Language, locales, renderMail } from "../../src/mail/templates.ts";

const site = { product: "Task Platform", linkUrl: "https://example.com/{kind}?token={token}", locale: "en" };
const at = Date.UTC(2026, 0, 2, 3, 4, 5);
const kinds = Object.keys(english.templates);
const rendered = (kind: string, more: object = {}) =>
  renderMail({ kind, locale: "en", at, username: "Alice", token: "id.secret", ...accountsOf(kind), ...more }, site)!;
const lifeMs = 3_600_000;
const accountsOf = (kind: string): object =>
  kind === "confirm-list"
    ? {
        lifeMs,
        accounts: [
          { login: "alice", token: "one.secret" },
          { login: "alice2", token: "two.secret" },
        ],
      }
    : { lifeMs, login: "alice" };

/** Kinds that handlers send, as the source has them. */
function kindsSent(): string[] {
  const source = readFileSync(join(import.meta.dirname, "..", "..", "src", "accounts", "mails.ts"), "utf8");
  return ["MailKind", "FactorNotice"].flatMap((type) => {
    const union = new RegExp(`export type ${type} =([^;]+);`).exec(source)![1]!;
    return [...union.matchAll(/"([a-z-]+)"/g)].map((match) => match[1]!);
  });
}

/** What a language lacks, has too much, or has with a link that others have without. */
function faultsOf({ templates }: Language): string[] {
  const own = Object.keys(templates);
  const linked = own.filter((kind) => templates[kind]!.link ?? templates[kind]!.links);
  const wanted = ["confirm", "confirm-list", "email-confirm", "reset"];
  return [
    ...kindsSent().filter((kind) => !own.includes(kind)),
    ...own.filter((kind) => !kindsSent().includes(kind)),
    ...wanted.filter((kind) => !linked.includes(kind)),
    ...linked.filter((kind) => !wanted.includes(kind)),
  ];
}

describe("every kind that handlers send", () => {
  test("has a template in every language, with a link in the same ones", () => {
    expect(kindsSent().length).toBeGreaterThan(10);
    expect(faultsOf(english)).toEqual([]);
    expect(faultsOf(russian)).toEqual([]);
    expect(locales).toEqual(["en", "ru"]);
  });

  test.each(kinds)("is missed where a language lacks %s", (kind) => {
    const { [kind]: _, ...templates } = russian.templates;
    expect(faultsOf({ ...russian, templates })).toContain(kind);
  });
});

describe.each(["en", "ru"])("in %s", (locale) => {
  test.each(kinds)("%s leaves nothing to fill in, and says in HTML what it says in text", (kind) => {
    const { subject, text, html } = rendered(kind, { locale });
    expect(`${subject}${text}${html}`).not.toMatch(/\{|\}|undefined/);
    expect(subject).toContain("Task Platform");
    expect(text).toContain("2026-01-02 03:04 UTC");
    expect(text).toContain("Alice");
    const plain = html
      .replace(/<[^>]+>/g, "\n")
      .replaceAll("&#39;", "'")
      .replaceAll("&quot;", '"')
      .replaceAll("&amp;", "&");
    for (const line of text.split("\n").filter((each) => each !== "" && each !== "-- "))
      expect(plain).toContain(line.replace(/:$/, ""));
  });
});

test("a link names its kind and has the token, as a URL has it", () => {
  expect(rendered("reset", { token: "a.b+c/d&e" }).text).toContain("https://example.com/reset?token=a.b%2Bc%2Fd%26e\n");
  expect(rendered("email-confirm").html).toContain('href="https://example.com/email-confirm?token=id.secret"');
});

test("a confirmation names the login and when its link ends, also where several accounts wait", () => {
  const one = rendered("confirm");
  expect(one.text).toContain("with the login alice.");
  expect(one.text).toContain("until 2026-01-02 04:04 UTC");
  const several = rendered("confirm-list");
  for (const [login, token] of [
    ["alice", "one"],
    ["alice2", "two"],
  ]) {
    expect(several.text).toContain(`login ${login}:\nhttps://example.com/confirm?token=${token}.secret\n`);
    expect(several.html).toContain(`href="https://example.com/confirm?token=${token}.secret"`);
  }
  expect(renderMail({ kind: "confirm-list", locale: "en", at, accounts: [] }, site)).toBeUndefined();
  expect(renderMail({ kind: "confirm-list", locale: "en", at, token: "t" }, site)).toBeUndefined();
});

test.each([
  ["evil.example", "evil[.]example"],
  ["https://evil.example/x", "https[://]evil[.]example[/]x"],
  ["a@b.example", "a[@]b[.]example"],
  ["{expires}$&", "{expires}$&"],
])("the login %j is said as %j, which no mail program makes a link of", (login, shown) => {
  for (const more of [{ login }, { kind: "confirm-list", accounts: [{ login, token: "t" }] }]) {
    const { text } = rendered("confirm", more);
    expect(text).toContain(`the login ${shown}`);
    if (login !== shown) expect(text).not.toContain(login);
  }
});

test.each(["https://evil.example", "evil.example", "a@b.example", "<b>x</b>", "x\r\nBcc: y", "{product}", "$&"])(
  "a name that could be taken for an address or a command is not said: %j",
  (username) => {
    const { text, html } = rendered("reset", { username });
    expect(text.startsWith("Hello,\n")).toBe(true);
    expect(`${text}${html}`).not.toContain(username);
  },
);

test("a name is said as it is, in any script", () => {
  for (const username of ["Мария-Анна", "O'Neil 2", "李小龍"])
    expect(rendered("confirm", { username }).text).toContain(`Hello ${username},`);
});

test("without a token there is no mail with a link; of an unknown kind there is none; an unknown language is the site's", () => {
  expect(renderMail({ kind: "reset", locale: "en", at }, site)).toBeUndefined();
  expect(renderMail({ kind: "constructor", locale: "en", at, token: "t" }, site)).toBeUndefined();
  const { subject } = rendered("reset");
  for (const locale of ["de-DE", "", "__proto__", "EN-gb"]) expect(rendered("reset", { locale }).subject).toBe(subject);
  expect(rendered("reset", { locale: "ru-RU" }).subject).toContain("новый пароль");
  const subjectAt = (siteLocale: string, locale: string) =>
    renderMail({ kind: "reset", locale, at, token: "t" }, { ...site, locale: siteLocale })!.subject;
  expect(subjectAt("ru", "de-DE")).toContain("новый пароль");
  expect(subjectAt("ru", "en-GB")).toBe(subject);
});
