// What mails say: a table by language and kind, and how an entry becomes a subject, a text and a simple page of HTML that say the same.
// A name that its owner chose is said only where it cannot be taken for an address: a mail to a stranger's mailbox must not carry its sender's
// words. Nothing is loaded from anywhere, and the text alone is enough.
import { english } from "./mail-templates/en.ts";
import { russian } from "./mail-templates/ru.ts";

/** What a template says. In every text {product} is AUTH_PRODUCT. */
export interface Template {
  subject: string;
  /** Paragraphs before the link, if there is one. */
  before: readonly string[];
  /** What the link does; absent where there is none. */
  link?: string;
  after: readonly string[];
}

export interface Language {
  /** With the name in place of {name}, and without one. */
  greeting: { named: string; plain: string };
  /** {time} is when it happened. */
  footer: string;
  templates: Readonly<Record<string, Template>>;
}

const languages: Readonly<Record<string, Language>> = { en: english, ru: russian };

export interface MailToRender {
  kind: string;
  /** BCP 47; the first subtag counts, and what is not known is the site's. */
  locale: string;
  /** Unix ms. */
  at: number;
  username?: string | undefined;
  token?: string | undefined;
}

export interface RenderedMail {
  subject: string;
  text: string;
  html: string;
}

export interface Site {
  product: string;
  /** With {token}, and {kind} if it likes. */
  linkUrl: string;
  /** For whoever asked for a language that there is no text in. */
  locale: string;
}

export const locales: readonly string[] = Object.keys(languages);

/** @returns undefined where there is no such template, or one with a link and no token for it */
export function renderMail(mail: MailToRender, site: Site): RenderedMail | undefined {
  const language = languageOf(mail.locale) ?? languageOf(site.locale) ?? english;
  const template = Object.hasOwn(language.templates, mail.kind) ? language.templates[mail.kind] : undefined;
  if (template === undefined || (template.link !== undefined && !mail.token)) return undefined;
  const fill = (text: string): string => text.replaceAll("{product}", site.product);
  const parts = {
    greeting: greet(language, mail.username),
    before: template.before.map(fill),
    link: template.link === undefined ? undefined : { words: fill(template.link), url: linkOf(mail, site) },
    after: template.after.map(fill),
    footer: fill(language.footer).replaceAll(
      "{time}",
      `${new Date(mail.at).toISOString().slice(0, 16).replace("T", " ")} UTC`,
    ),
  };
  return { subject: fill(template.subject), text: textOf(parts), html: htmlOf(parts) };
}

function languageOf(locale: string): Language | undefined {
  const [primary = ""] = locale.toLowerCase().split("-");
  return Object.hasOwn(languages, primary) ? languages[primary] : undefined;
}

function linkOf({ kind, token }: MailToRender, { linkUrl }: Site): string {
  return linkUrl.replaceAll("{kind}", encodeURIComponent(kind)).replaceAll("{token}", encodeURIComponent(token ?? ""));
}

/** Letters, digits, spaces, hyphens and apostrophes, and the joiners that names.ts lets stand: no mail program makes a link of these. */
const plainName = /^(?:[\p{L}\p{M}\p{N} _'-]|\u200c|\u200d){1,64}$/u;

function greet({ greeting }: Language, name: string | undefined): string {
  return name !== undefined && plainName.test(name) ? greeting.named.replace("{name}", () => name) : greeting.plain;
}

interface Parts {
  greeting: string;
  before: string[];
  link: { words: string; url: string } | undefined;
  after: string[];
  footer: string;
}

function textOf({ greeting, before, link, after, footer }: Parts): string {
  const action = link === undefined ? [] : [`${link.words}:\n${link.url}`];
  return `${[greeting, ...before, ...action, ...after, `-- \n${footer}`].join("\n\n")}\n`;
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);

function htmlOf({ greeting, before, link, after, footer }: Parts): string {
  const paragraph = (text: string): string => `<p>${escaped(text)}</p>`;
  const url = escaped(link?.url ?? "");
  const action =
    link === undefined ? [] : [`<p><a href="${url}">${escaped(link.words)}</a></p>`, `<p><small>${url}</small></p>`];
  const body = [...[greeting, ...before].map(paragraph), ...action, ...after.map(paragraph)];
  return [
    '<!doctype html><html><head><meta charset="utf-8"></head><body style="font-family: sans-serif">',
    ...body,
    `<hr><p><small>${escaped(footer)}</small></p>`,
    "</body></html>",
    "",
  ].join("\n");
}
