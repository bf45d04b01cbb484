// What mails say: every kind in every language, in HTML what the text says; links, greetings, languages.
import { describe, expect, test } from "@jest/globals";
import { renderMail } from "../../src/mail/render.ts";
import { loadMailTemplates } from "../../src/mail/template-files.ts";
import { placeholdersOf } from "../../src/mail/template-names.ts";
import { mailSchema } from "../../src/protocol/generated/schemas.ts";
import { mailKinds } from "../../src/protocol/mail-kinds.ts";
import { builtIn, mailOf, rendered, shownText, siteWith } from "../support/rendered-mails.ts";

const withLink = mailKinds.filter((kind) => placeholdersOf[kind].required.some((name) => /link$/.test(name)));
const notices = mailKinds.filter((kind) => !withLink.includes(kind));

test("the schema of auth.mail names every kind", () => {
  const { doc } = mailSchema.fields.find(({ name }) => name === "kind")!;
  expect(doc).toBe(`Which template: ${mailKinds.join(", ")}.`);
});

test("there are English and Russian, and the kinds that confirm or reset something have a link", () => {
  expect([...builtIn.languages.keys()]).toEqual(["en", "ru"]);
  expect(withLink).toEqual(["confirm", "confirm-list", "reset", "email-confirm"]);
});

/**
 * Lines of the text that HTML shows in another way: the mark above the footer, and the colon behind a button's words.
 */
const comparable = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== "--")
    .map((line, index, lines) => (lines[index + 1]?.startsWith("https://") ? line.replace(/:$/, "") : line));

describe.each(["en", "ru"])("in %s", (locale) => {
  test.each(mailKinds)("%s says in HTML what it says in text, line by line", (kind) => {
    const { subject, text, html } = rendered(kind, { locale });
    expect(shownText(html).split("\n")).toEqual(comparable(text));
    expect(html).toContain(`<html lang="${locale}">`);
    expect(`${subject}${text}${html}`).not.toMatch(/\{|\}|undefined|null/);
    expect(subject).toContain("Task Platform");
  });

  test.each(mailKinds)(
    "%s says what it is about, when, from where, and what to do if it was not the reader",
    (kind) => {
      const { text } = rendered(kind, { locale });
      for (const each of ["Alice", "Task Platform", "203.0.113.7", "198.51.100.8", "Kitchen laptop"])
        expect(text).toContain(each);
      expect(text).toMatch(locale === "en" ? /: January 2, 2026 at 03:04 UTC\n/ : /: 2 января 2026 г. в 03:04 UTC\n/);
      expect(text).toMatch(
        locale === "en"
          ? /If (this was not you|you did not)/
          : /Если (это были не вы|вы не|вы (об )?этого не|вы об этом не)/,
      );
    },
  );

  test.each(mailKinds)("%s leaves out what its record does not have", (kind) => {
    const { text, html } = rendered(kind, {
      locale,
      username: undefined,
      requestAddress: undefined,
      loginAddress: undefined,
      loginDevice: undefined,
    });
    expect(text).toMatch(locale === "en" ? /^Hello,\n/ : /^Здравствуйте!\n/);
    expect(shownText(html).split("\n")).toEqual(comparable(text));
    expect(text).not.toMatch(locale === "en" ? /IP address|Device/ : /IP-адрес|Устройство:/);
    expect(text).not.toMatch(/\n{3}/);
  });

  test.each(notices)("%s has nothing to click on", (kind) => {
    const { text, html } = rendered(kind, { locale });
    expect(text + html).not.toContain("://");
    expect(html).not.toContain("<a ");
  });

  test.each(withLink)("%s has its link as a button, and as text below", (kind) => {
    const { html } = rendered(kind, { locale });
    const links = [...html.matchAll(/<a href="([^"]+)"[^>]*>([^<]+)<\/a>/g)].map(([, url, words]) => [url, words]);
    expect(links.length).toBe(kind === "confirm-list" ? 4 : 2);
    for (let index = 0; index < links.length; index += 2) {
      const [[button, words], [url, shown]] = links.slice(index, index + 2) as [string[], string[]];
      expect(words).not.toContain("example.com");
      expect(button).toBe(url);
      expect(shown).toBe(url);
    }
  });
});

test("a mail loads nothing from anywhere", () => {
  for (const kind of mailKinds)
    expect(rendered(kind).html).not.toMatch(/\bsrc=|url\(|<(img|link|script|style|iframe)\b/i);
});

test("a link names its kind and has the token, as a URL has it", () => {
  expect(rendered("reset", { token: "a.b+c/d&e" }).text).toContain("https://example.com/reset?token=a.b%2Bc%2Fd%26e\n");
  const page = shownText(rendered("email-confirm", { token: '"><b>' }).html);
  expect(page).toContain("https://example.com/email-confirm?token=%22%3E%3Cb%3E");
});

test("a confirmation names the login and when its link ends, also where several accounts wait", () => {
  const { text } = rendered("confirm");
  expect(text).toContain("with the login alice.");
  expect(text).toContain("until January 2, 2026 at 04:04 UTC");
  const several = rendered("confirm-list").text;
  expect(several).toContain("the login alice:\nhttps://example.com/confirm?token=one.secret\n");
  expect(several).toContain("the login alice2:\nhttps://example.com/confirm?token=two.secret\n");
});

test("a kind that does not exist, and one that lacks the token of its link, is no mail", () => {
  const site = siteWith(builtIn);
  for (const mail of [
    mailOf("no-such"),
    mailOf("constructor"),
    mailOf("reset", { token: undefined }),
    mailOf("reset", { token: "" }),
    mailOf("confirm-list", { accounts: [] }),
    mailOf("confirm-list", { accounts: undefined }),
  ])
    expect(renderMail(mail, site)).toBeUndefined();
  expect(renderMail(mailOf("reset"), site)).toBeDefined(); // the control
});

test("an unknown language is the site's, and that of a dialect its main one", () => {
  const english = rendered("reset").subject;
  const russian = rendered("reset", { locale: "ru" }).subject;
  expect(russian).not.toBe(english);
  for (const locale of ["de-DE", "", "__proto__", "EN-gb"]) expect(rendered("reset", { locale }).subject).toBe(english);
  expect(rendered("reset", { locale: "ru-RU" }).subject).toBe(russian);
  const site = siteWith(loadMailTemplates(), { locale: "ru" });
  expect(rendered("reset", { locale: "de-DE" }, site).subject).toBe(russian);
  expect(rendered("reset", { locale: "en-GB" }, site).subject).toBe(english);
});

test("a name is said as it is, in any script", () => {
  for (const username of ["Мария-Анна", "O'Neil 2", "李小龍"]) {
    const { text, html } = rendered("confirm", { username });
    expect(text).toContain(`Hello ${username},`);
    expect(shownText(html)).toContain(`Hello ${username},`);
  }
});
