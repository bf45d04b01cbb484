// Values chosen to harm whoever reads a mail: HTML, quotes, template syntax, line ends, controls that turn
// the text, links. In subject, text and HTML, by the built-in templates and by others; and that these tests would see a
// value that is not escaped.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import MailComposer from "nodemailer/lib/mail-composer";
import { renderMail } from "../../src/mail/render.ts";
import { loadMailTemplates } from "../../src/mail/template-files.ts";
import { mailKinds } from "../../src/protocol/mail-kinds.ts";
import { builtIn, mailOf, rendered, shownText, siteWith } from "../support/rendered-mails.ts";
import { ownFolder } from "../support/stack.ts";

const hostile = [
  `<b>bold</b>`,
  `<img src=x onerror=alert(1)>`,
  `"><script>alert(1)</script>`,
  `' onmouseover='alert(1)`,
  "`onload=1",
  "&lt;b&gt;",
  "{{token}}",
  "{{{link}}}",
  "{{#accounts}}{{link}}{{/accounts}}",
  "{{=<% %>=}}",
  "{{> greeting}}",
  "{expires}$&$1",
  "x\r\nBcc: eve@example.net",
  "x\n\nhttps://evil.example",
  "x\u2028y\u0000z\u001b[2J",
  "\u202egnp.exe",
  "\u2066abc\u2069\u200e",
  "https://evil.example/x",
  "evil.example",
  "a@b.example",
];

/** What must not stand in a mail as it was given: it would be read as a command or followed as a link. */
const unsafe = /evil\.example|@b\.example|@example\.net|\p{Bidi_Control}|\p{Zl}|\p{Zp}|(?!\n)\p{Cc}/u;

const tagsOf = (html: string): string[] =>
  [...html.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replace(/href="[^"]*"/, ""));

describe.each(hostile)("a user who calls themselves and their device %j", (value) => {
  test.each(mailKinds)("changes nothing in %s but what is shown of a login", (kind) => {
    for (const locale of ["en", "ru"]) {
      const accounts = [{ login: value, token: "t" }];
      const harmless = rendered(kind, {
        locale,
        username: undefined,
        loginDevice: undefined,
        requestAddress: undefined,
        loginAddress: undefined,
        accounts: [{ login: "bob", token: "t" }],
      });
      const mail = rendered(kind, {
        locale,
        username: value,
        loginDevice: value,
        requestAddress: value,
        loginAddress: value,
        login: value,
        accounts,
      });
      expect(mail.subject).toBe(harmless.subject);
      expect(tagsOf(mail.html)).toEqual(tagsOf(harmless.html));
      expect(mail.text + shownText(mail.html)).not.toMatch(unsafe);
      expect(mail.text.split("\n")).toHaveLength(harmless.text.split("\n").length);
    }
  });
});

test.each([
  ["evil.example", "evil[.]example"],
  ["https://evil.example/x", "https[://]evil[.]example[/]x"],
  ["a@b.example", "a[@]b[.]example"],
  ["{{token}}", "{{token}}"],
  ["<b>", "<b>"],
  ["a\u202eb", "a\\u202eb"],
])("the login %j is shown as %j, which no mail program makes a link of", (login, shown) => {
  const { text, html } = rendered("confirm", { login });
  expect(text).toContain(`with the login ${shown}.`);
  expect(shownText(html)).toContain(`with the login ${shown}.`);
});

test.each(["evil.example", "http://x", "<b>x</b>", "x\r\ny", "{{product}}", "1.2.3.4, and more"])(
  "neither a name nor an address that is %j is shown",
  (value) => {
    const { text } = rendered("password-changed", {
      username: value,
      loginDevice: value,
      requestAddress: value,
      loginAddress: value,
    });
    expect(text.startsWith("Hello,\n")).toBe(true);
    expect(text).not.toContain(value);
  },
);

test("a product with signs of HTML is shown as it is called, and is one line of a header", async () => {
  const site = siteWith(builtIn, { product: `R&D <"Lab">` });
  const { subject, text, html } = renderMail(mailOf("reset"), site)!;
  expect(subject).toContain(site.product);
  expect(text).toContain(site.product);
  expect(shownText(html)).toContain(site.product);
  expect(html).not.toContain('<"Lab">');
  const raw = String(
    await new MailComposer({ subject: `${subject}\r\nBcc: eve@example.net`, text, html }).compile().build(),
  );
  expect(raw).not.toMatch(/^Bcc:/m); // a subject cannot end its header, whatever stands in it
});

describe("templates of the operator's own", () => {
  const own = (files: Record<string, string>): string => {
    const folder = ownFolder("injection");
    mkdirSync(join(folder, "en"), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  };

  test("escape as the built-in ones do, in text and in HTML", () => {
    const templates = loadMailTemplates(
      own({
        "en/reset.html": '<p>{{name}} {{loginDevice}}</p><a href="{{link}}">{{product}}</a>\n',
        "layout.html": "{{> greeting}}{{> body}}{{> footer}}<i>{{subject}}</i>",
      }),
    );
    const { html } = renderMail(mailOf("reset", { username: "O'Neil" }), siteWith(templates, { product: "<b>&" }))!;
    expect(html).toContain("O&#39;Neil");
    expect(html).toContain("&lt;b&gt;&amp;");
    expect(html).not.toContain("<b>");
  });

  test("the control: a renderer that does not escape is seen", () => {
    const careless = structuredClone(builtIn.languages.get("en")!);
    careless.kinds.confirm.html = careless.kinds.confirm.html.replaceAll("{{login}}", "{{{login}}}");
    const templates = { ...builtIn, languages: new Map([["en", careless]]) };
    const mail = mailOf("confirm", { login: "<b>bold</b>" });
    const [good, bad] = [builtIn, templates].map((each) => renderMail(mail, siteWith(each))!.html);
    expect(tagsOf(bad!)).not.toEqual(tagsOf(good!));
    expect(bad).toContain("<b>bold<");
  });
});
