// What mails say: a table by language and kind, and how an entry becomes a subject, a text and a simple page of HTML that say the same.
// A name that its owner chose is said only where it cannot be taken for an address: a mail to a stranger's mailbox must not carry its sender's
// words. A login must be told, and is written so that no mail program makes a link of it. Nothing is loaded from anywhere, and the text alone is enough.
import { english } from "./templates/en.ts";
import { russian } from "./templates/ru.ts";

/** What a template says. In every text {product} is AUTH_PRODUCT, {login} the account's, and {expires} the end of the link. */
export interface Template {
  subject: string;
  /** Paragraphs before the link, if there is one. */
  before: readonly string[];
  /** What the link does; absent where there is none. */
  link?: string;
  /** The same of a mail that has one link for each of several accounts: {login} is that account's. */
  links?: string;
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
  login?: string | undefined;
  token?: string | undefined;
  /** Of a mail that has a link for each. */
  accounts?: readonly { login: string; token: string }[] | undefined;
  /** How long its links are good, ms. */
  lifeMs?: number | undefined;
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

/** @returns undefined where there is no such template, or one with links and no token for them */
export function renderMail(mail: MailToRender, site: Site): RenderedMail | undefined {
  const language = languageOf(mail.locale) ?? languageOf(site.locale) ?? english;
  const template = Object.hasOwn(language.templates, mail.kind) ? language.templates[mail.kind] : undefined;
  const links = template === undefined ? undefined : linksOf(template, mail, site);
  if (template === undefined || links === undefined) return undefined;
  const fill = (text: string): string => filled(text, mail, site);
  const parts = {
    greeting: greet(language, mail.username),
    before: template.before.map(fill),
    links,
    after: template.after.map(fill),
    footer: fill(language.footer).replaceAll("{time}", timeText(mail.at)),
  };
  return { subject: fill(template.subject), text: textOf(parts), html: htmlOf(parts) };
}

function filled(text: string, { at, login = "", lifeMs = 0 }: MailToRender, { product }: Site): string {
  return text
    .replaceAll("{product}", () => product)
    .replaceAll("{expires}", () => timeText(at + lifeMs))
    .replaceAll("{login}", () => shownLogin(login));
}

const timeText = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;

interface Link {
  words: string;
  url: string;
}

/** @returns undefined where the mail lacks what they are made of */
function linksOf({ link, links }: Template, mail: MailToRender, site: Site): Link[] | undefined {
  if (links !== undefined) {
    if (mail.accounts === undefined || mail.accounts.length === 0) return undefined;
    return mail.accounts.map(({ login, token }) => ({
      words: filled(links, { ...mail, login }, site),
      url: linkOf({ ...mail, kind: "confirm", token }, site), // each does what the link of one account does
    }));
  }
  if (link === undefined) return [];
  return mail.token ? [{ words: filled(link, mail, site), url: linkOf(mail, site) }] : undefined;
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

/** `ada[.]lovelace`: what a mail program might take for an address stands in brackets, as people do who must show one that is not to be followed. */
function shownLogin(login: string): string {
  return plainName.test(login) ? login : login.replace(/[.:/\\@]+/g, (signs) => `[${signs}]`);
}

function greet({ greeting }: Language, name: string | undefined): string {
  return name !== undefined && plainName.test(name) ? greeting.named.replace("{name}", () => name) : greeting.plain;
}

interface Parts {
  greeting: string;
  before: string[];
  links: Link[];
  after: string[];
  footer: string;
}

function textOf({ greeting, before, links, after, footer }: Parts): string {
  const action = links.map(({ words, url }) => `${words}:\n${url}`);
  return `${[greeting, ...before, ...action, ...after, `-- \n${footer}`].join("\n\n")}\n`;
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);

function htmlOf({ greeting, before, links, after, footer }: Parts): string {
  const paragraph = (text: string): string => `<p>${escaped(text)}</p>`;
  const action = links.flatMap(({ words, url }) => [
    `<p><a href="${escaped(url)}">${escaped(words)}</a></p>`,
    `<p><small>${escaped(url)}</small></p>`,
  ]);
  const body = [...[greeting, ...before].map(paragraph), ...action, ...after.map(paragraph)];
  return [
    '<!doctype html><html><head><meta charset="utf-8"></head><body style="font-family: sans-serif">',
    ...body,
    `<hr><p><small>${escaped(footer)}</small></p>`,
    "</body></html>",
    "",
  ].join("\n");
}
