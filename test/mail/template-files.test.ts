// Templates as files: the built-in ones are good; a directory of the operator's own replaces them one by one, adds
// languages, and everything that is wrong with it is told at once, with file and placeholder.
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { builtInTemplates, loadMailTemplates, MailTemplateFault } from "../../src/mail/template-files.ts";
import { commonPlaceholders, phrases, placeholdersOf } from "../../src/mail/template-names.ts";
import { mailKinds } from "../../src/protocol/mail-kinds.ts";
import { rendered, shownText, siteWith } from "../support/rendered-mails.ts";
import { ownFolder } from "../support/stack.ts";

/** A directory with these files alone. */
function directory(files: Record<string, string | Buffer>): string {
  const folder = join(ownFolder("templates"), String(Object.keys(files).length), "mails");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** The faults of a directory, its own path left out; none where it is good. */
function faultsOf(folder: string): string[] {
  try {
    loadMailTemplates(folder);
    return [];
  } catch (error) {
    if (!(error instanceof MailTemplateFault)) throw error;
    return error.faults.map((fault) => fault.replace(`${folder}/`, ""));
  }
}

const builtInText = (name: string): string => readFileSync(join(builtInTemplates, name), "utf8");

describe("a directory of templates", () => {
  test("replaces the built-in ones one by one", () => {
    const folder = directory({ "en/reset.txt": "Subject: Ours for {{product}}\n\nClick & see:\n{{link}}\n" });
    const site = siteWith(loadMailTemplates(folder));
    const { subject, text, html } = rendered("reset", {}, site);
    expect(subject).toBe("Ours for Task Platform");
    expect(text).toMatch(/^Hello Alice,\n\nClick & see:\nhttps:\/\/example\.com\/reset\?token=id\.secret\n\n-- \n/);
    expect(shownText(html)).toContain("Hello Alice,\nClick & see\nhttps://example.com/reset");
    for (const [kind, locale] of [
      ["confirm", "en"],
      ["reset", "ru"],
    ] as const)
      expect(rendered(kind, { locale }, site)).toEqual(rendered(kind, { locale }));
  });

  test("replaces a phrase in every mail that includes it, and the look of all", () => {
    const folder = directory({
      "en/footer.txt": "Yours, {{product}}\n",
      "layout.html": '<html lang="{{language}}"><main>{{> greeting}}{{> body}}</main>{{> footer}}</html>\n',
      "paragraph.html": "<h1>{{> text}}</h1>\n",
    });
    const site = siteWith(loadMailTemplates(folder));
    for (const kind of mailKinds) {
      const { text, html } = rendered(kind, {}, site);
      expect(text).toMatch(/\n-- \nYours, Task Platform\n$/);
      expect(html).toMatch(
        /^<html lang="en"><main><h1>Hello Alice,<\/h1>[\s\S]+<h1>Yours, Task Platform<\/h1>\n<\/html>\n$/,
      );
    }
  });

  test("may have HTML of its own for a kind", () => {
    const folder = directory({ "en/reset.html": '<h2>{{name}}</h2><a href="{{link}}">Go</a>\n' });
    const { text, html } = rendered("reset", {}, siteWith(loadMailTemplates(folder)));
    expect(text).toBe(rendered("reset").text);
    expect(shownText(html)).toMatch(/^Hello Alice,\nAlice\nGo\nTask Platform sent/);
  });

  test("may add a language, if it has every file of it", () => {
    const german = [...phrases, ...mailKinds].map((name) => [`de/${name}.txt`, builtInText(`en/${name}.txt`)] as const);
    const all = Object.fromEntries(german);
    const site = siteWith(loadMailTemplates(directory(all)));
    expect(rendered("reset", { locale: "de-AT" }, site).html).toContain('<html lang="de">');
    const { "de/reset.txt": _, ...others } = all;
    expect(faultsOf(directory(others))).toEqual(["de/reset.txt: is missing"]);
  });

  test("may lie behind symbolic links and beside other files, as a volume of Kubernetes does", () => {
    const folder = directory({ "..data/en/footer.txt": "Linked\n", "README.md": "{{nothing}}" });
    symlinkSync(join(folder, "..data", "en"), join(folder, "en"));
    expect(rendered("reset", {}, siteWith(loadMailTemplates(folder))).text).toContain("\nLinked\n");
  });

  test("written on Windows, is the same", () => {
    const text = builtInText("en/reset.txt").replaceAll("\n", "\r\n");
    expect(rendered("reset", {}, siteWith(loadMailTemplates(directory({ "en/reset.txt": `\ufeff${text}` }))))).toEqual(
      rendered("reset"),
    );
  });
});

describe("a fault in a template is told with its file", () => {
  const reset = (body: string): Record<string, string> => ({ "en/reset.txt": `Subject: Reset\n\n${body}` });
  const good = "Reset:\n{{link}}\n";

  test("the control: none in a good one", () => {
    expect(faultsOf(directory(reset(good)))).toEqual([]);
  });

  test.each<[string, Record<string, string | Buffer>, string]>([
    ["a tag that does not close", reset(`${good}\n{{name`), "en/reset.txt: does not parse: Unclosed tag at"],
    [
      "a section that does not close",
      reset(`${good}\n{{#name}}x`),
      'en/reset.txt: does not parse: Unclosed section "name"',
    ],
    ["an unknown placeholder", reset(`${good}\n{{nmae}}`), "en/reset.txt: has an unknown placeholder: {{nmae}}"],
    ["one of another kind", reset(`${good}\n{{login}}`), "en/reset.txt: has an unknown placeholder: {{login}}"],
    ["one from an object's prototype", reset(`${good}\n{{constructor}}`), "{{constructor}}"],
    ["a path", reset(`${good}\n{{name.length}}`), "{{name.length}}"],
    [
      "a link in a notice",
      { "en/password-changed.txt": "Subject: x\n\nGo:\n{{link}}\n" },
      "en/password-changed.txt: has an unknown placeholder: {{link}}",
    ],
    ["no link", reset("Reset it.\n"), "en/reset.txt: does not show {{link}}"],
    [
      "a link under a condition",
      reset("{{#name}}\nReset:\n{{link}}\n\n{{/name}}\n"),
      "en/reset.txt: does not show {{link}}, or only under a condition",
    ],
    ["a link within a line", reset("Go to {{link}} now.\n"), "en/reset.txt: needs {{link}} on a line of its own"],
    ["a link without words above", reset("Hi.\n\n{{link}}\n"), "en/reset.txt: needs {{link}} on a line of its own"],
    [
      "no login in a list",
      { "en/confirm-list.txt": "Subject: x\n\n{{#accounts}}\nGo:\n{{link}}\n\n{{/accounts}}\n" },
      "en/confirm-list.txt: does not show {{login}} within {{#accounts}}",
    ],
    ["three braces", reset(`${good}\n{{{name}}}`), "en/reset.txt: shows name unescaped: write {{name}}"],
    ["an ampersand", reset(`${good}\n{{&name}}`), "en/reset.txt: shows name unescaped"],
    ["other tags", reset(`${good}\n{{=<% %>=}}`), "en/reset.txt: changes the tags"],
    [
      "an unknown phrase",
      reset(`${good}\n{{> signature}}`),
      "en/reset.txt: includes {{> signature}}, which there is not",
    ],
    ["a tag over two lines", reset(`${good}\n{{\nname}}`), "en/reset.txt: has a tag that does not end on its line"],
    ["no subject", { "en/reset.txt": good }, "en/reset.txt: does not begin with a line Subject:"],
    [
      "an empty subject",
      { "en/reset.txt": `Subject:\n\n${good}` },
      "en/reset.txt: does not begin with a line Subject:",
    ],
    [
      "a name in the subject",
      { "en/reset.txt": `Subject: {{name}}\n\n${good}` },
      "en/reset.txt: its subject has an unknown placeholder: {{name}}",
    ],
    [
      "a layout without the mail",
      { "layout.txt": "{{> greeting}}{{> footer}}" },
      "layout.txt: does not include {{> body}}",
    ],
    ["a button without its link", { "button.html": "<b>{{> label}}</b>" }, "button.html: does not show {{link}}"],
    ["a paragraph without its text", { "paragraph.html": "<p></p>" }, "paragraph.html: does not include {{> text}}"],
    ["HTML without a link", { "en/reset.html": "<p>Reset it.</p>" }, "en/reset.html: does not show {{link}}"],
    [
      "a name in an attribute",
      { "en/reset.html": '<p title="{{name}}"><a href="{{link}}">x</a></p>' },
      "en/reset.html: has {{name}} within a tag",
    ],
    [
      "a link without quotes",
      { "en/reset.html": "<a href={{link}}>x</a>" },
      "en/reset.html: has {{link}} within a tag",
    ],
    [
      "a script",
      { "en/reset.html": '<a href="{{link}}">x</a><script>a("{{name}}")</script>' },
      "en/reset.html: has a script",
    ],
    [
      "an image from elsewhere",
      { "layout.html": '<img src="https://example.com/x.png">{{> greeting}}{{> body}}{{> footer}}' },
      "layout.html: loads something from elsewhere",
    ],
    ["a name that no mail has", { "en/rset.txt": "Subject: x\n\nx\n" }, "en/rset.txt: is no template"],
    ["a directory that is no language", { "english/reset.txt": "x" }, "english: is no language"],
    ["bytes that are no UTF-8", { "en/footer.txt": Buffer.from([0x80, 0xff]) }, "en/footer.txt: cannot be read"],
  ])("%s", (_, files, fault) => {
    const faults = faultsOf(directory(files));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });

  test("a directory that is not there", () => {
    expect(faultsOf("/no/such/directory")).toEqual([
      expect.stringMatching(/^\/no\/such\/directory: cannot be read: .*ENOENT/),
    ]);
  });

  test("all of them at once, one a line", () => {
    const folder = directory({ ...reset("Reset {{nmae}}.\n"), "ru/footer.txt": "{{x}}\n" });
    const faults = faultsOf(folder);
    expect(faults).toEqual([
      "en/reset.txt: has an unknown placeholder: {{nmae}}",
      "en/reset.txt: does not show {{link}}, or only under a condition",
      "ru/footer.txt: has an unknown placeholder: {{x}}",
    ]);
    const said = `The mail templates have 3 faults:\n${faults.map((fault) => `  ${folder}/${fault}`).join("\n")}`;
    expect(() => loadMailTemplates(folder)).toThrow(said);
  });
});

describe("docs/mails.md", () => {
  const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "mails.md"), "utf8");
  const shown = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ") || "-";

  test.each(mailKinds)("has the placeholders of %s", (kind) => {
    const { required, optional } = placeholdersOf[kind];
    const row = page.split("\n").find((line) => line.startsWith(`| \`${kind}\` |`))!;
    expect(row.split(" | ").slice(-2)).toEqual([shown(required), `${shown(optional)} |`]);
  });

  test("has those of every kind, and every phrase", () => {
    for (const name of [...commonPlaceholders, ...phrases]) expect(page).toContain(`| \`${name}\` |`);
  });
});
