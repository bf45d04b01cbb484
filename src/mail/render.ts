// Renders a mail from its template and values: subject, text and HTML. Mustache inserts values, escapes them for HTML
// and runs no code; a value that looks like a template is not interpreted.
import Mustache from "mustache";
import type { MailKind } from "../protocol/mail-kinds.ts";
import { shownAddress, shownLogin, shownName, shownTime } from "./shown-values.ts";
import type { LanguageTemplates, MailTemplates } from "./template-files.ts";
import { placeholdersOf } from "./template-names.ts";

export interface MailToRender {
  kind: string;
  /** BCP 47; only the first subtag is used, and an unknown language becomes the site's. */
  locale: string;
  /** Unix ms. */
  at: number;
  username?: string | undefined;
  login?: string | undefined;
  token?: string | undefined;
  /** For a mail with a link for each. */
  accounts?: readonly { login: string; token: string }[] | undefined;
  /** The lifetime of its links, ms. */
  lifeMs?: number | undefined;
  /** The IP address that requested it. */
  requestAddress?: string | undefined;
  /** For acts in a session: the IP address that logged in to it. */
  loginAddress?: string | undefined;
  /** For acts in a session: the name of the device, chosen by its owner. */
  loginDevice?: string | undefined;
}

export interface RenderedMail {
  subject: string;
  text: string;
  html: string;
}

/** What all mails of a fleet share. */
export interface MailSite {
  product: string;
  /** Contains {token}, and optionally {kind}. */
  linkUrl: string;
  /** The fallback for languages without templates. */
  locale: string;
  templates: MailTemplates;
}

/** Parses each template once: a Writer caches them by their text. */
const writer = new Mustache.Writer();

/** @returns undefined for an unknown kind, or a kind with links without a token */
export function renderMail(mail: MailToRender, site: MailSite): RenderedMail | undefined {
  const { languages, textLayout, htmlLayout } = site.templates;
  const language = [mail.locale, site.locale, "en"].map(primarySubtag).find((each) => languages.has(each))!;
  if (!Object.hasOwn(placeholdersOf, mail.kind)) return undefined;
  const kind = mail.kind as MailKind;
  const values = valuesOf(kind, mail, { ...site, language });
  if (values === undefined) return undefined;
  const { kinds, textPhrases, htmlPhrases }: LanguageTemplates = languages.get(language)!;
  const template = kinds[kind];
  const asText = { escape: (value: string): string => value };
  const subject = writer.render(template.subject, values, {}, asText).replace(/\s+/g, " ").trim();
  const text = writer.render(textLayout, values, { ...textPhrases, body: template.text }, asText);
  const page = { ...values, language, subject };
  return { subject, text, html: writer.render(htmlLayout, page, { ...htmlPhrases, body: template.html }) };
}

function primarySubtag(locale: string): string {
  return locale.toLowerCase().split("-")[0]!;
}

/** @returns undefined where the token for the links is missing */
function valuesOf(kind: MailKind, mail: MailToRender, site: MailSite & { language: string }): object | undefined {
  const { at, username, login = "", token, lifeMs = 0 } = mail;
  const values = {
    product: site.product,
    name: shownName(username),
    time: shownTime(at, site.language),
    requestAddress: shownAddress(mail.requestAddress),
    loginAddress: shownAddress(mail.loginAddress),
    loginDevice: shownName(mail.loginDevice),
    login: shownLogin(login),
    expires: shownTime(at + lifeMs, site.language),
  };
  const { required } = placeholdersOf[kind];
  if (required.includes("accounts")) {
    const { accounts = [] } = mail;
    // Each link does what the link of a mail about one account does.
    const shown = accounts.map((each) => ({
      login: shownLogin(each.login),
      link: linkOf("confirm", each.token, site),
    }));
    return accounts.length === 0 ? undefined : { ...values, accounts: shown };
  }
  if (!required.includes("link")) return values;
  return token ? { ...values, link: linkOf(kind, token, site) } : undefined;
}

function linkOf(kind: MailKind, token: string, { linkUrl }: MailSite): string {
  return linkUrl.replaceAll("{kind}", encodeURIComponent(kind)).replaceAll("{token}", encodeURIComponent(token));
}
