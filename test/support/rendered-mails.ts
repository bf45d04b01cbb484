// Mails as the mailer makes them, with values that show where each is used.
import { type MailSite, type MailToRender, type RenderedMail, renderMail } from "../../src/mail/render.ts";
import { loadMailTemplates, type MailTemplates } from "../../src/mail/template-files.ts";

const renderedAt = Date.UTC(2026, 0, 2, 3, 4, 5);

export const siteWith = (templates: MailTemplates, more: Partial<MailSite> = {}): MailSite => ({
  product: "Task Platform",
  linkUrl: "https://example.com/{kind}?token={token}",
  locale: "en",
  templates,
  ...more,
});

export const builtIn = loadMailTemplates();

/** Every value that a mail of any kind may have. */
export const mailOf = (kind: string, more: Partial<MailToRender> = {}): MailToRender => ({
  kind,
  locale: "en",
  at: renderedAt,
  username: "Alice",
  login: "alice",
  token: "id.secret",
  accounts: [
    { login: "alice", token: "one.secret" },
    { login: "alice2", token: "two.secret" },
  ],
  lifeMs: 3_600_000,
  requestAddress: "203.0.113.7",
  loginAddress: "198.51.100.8",
  loginDevice: "Kitchen laptop",
  ...more,
});

/** @throws Error where there is no such mail */
export function rendered(kind: string, more: Partial<MailToRender> = {}, site = siteWith(builtIn)): RenderedMail {
  const mail = renderMail(mailOf(kind, more), site);
  if (mail === undefined) throw new Error(`there is no mail ${kind}`);
  return mail;
}

const entities: Record<string, string> = {
  lt: "<",
  gt: ">",
  quot: '"',
  amp: "&",
  "#39": "'",
  "#x2F": "/",
  "#x60": "`",
  "#x3D": "=",
};

/** What a reader sees of a page of HTML, a line for each element: the words alone, without what stands in tags. */
export function shownText(html: string): string {
  return html
    .replace(/<title>.*?<\/title>/s, "")
    .replace(/<[^>]*>/g, "\n")
    .replace(/&([\w#]+);/g, (whole, name: string) => entities[name] ?? whole)
    .replace(/\n\s*/g, "\n")
    .trim();
}
