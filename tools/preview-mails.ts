// Writes every mail in every language with sample values, to be looked at: `node tools/preview-mails.ts OUT
// [TEMPLATES]`. For each one LANGUAGE-KIND.txt, with its subject, and LANGUAGE-KIND.html. TEMPLATES is what
// AUTH_MAIL_TEMPLATES would name.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asError } from "../src/lib/errors.ts";
import { type MailToRender, type RenderedMail, renderMail } from "../src/mail/render.ts";
import { loadMailTemplates } from "../src/mail/template-files.ts";
import { type MailKind, mailKinds } from "../src/protocol/mail-kinds.ts";

export interface PreviewedMail extends RenderedMail {
  language: string;
  kind: string;
}

/** As long as they are in life: a token is two parts of a UUID and 256 bits. */
const token = `${"0190f3c2-7d4e-7aaa-8bbb-0123456789ab"}.${"aB3_".repeat(10)}xyz`;

/** Every mail in every language. @throws MailTemplateFault */
export function previewMails(directory?: string): PreviewedMail[] {
  const templates = loadMailTemplates(directory);
  const site = {
    product: "Example Product",
    linkUrl: "https://accounts.example.com/{kind}?token={token}",
    locale: "en",
    templates,
  };
  const values = {
    at: Date.UTC(2026, 0, 31, 9, 41),
    username: "Ada Lovelace",
    login: "ada.lovelace",
    token,
    accounts: ["ada.lovelace", "countess_of_lovelace_1815"].map((login) => ({ login, token })),
    lifeMs: 3_600_000,
  };
  return [...templates.languages.keys()].flatMap((language) =>
    mailKinds.map((kind) => {
      const mail = { ...values, ...originOf(kind), kind, locale: language };
      return { language, kind, ...renderMail(mail, site)! };
    }),
  );
}

const address = "2001:db8:85a3:8d3:1319:8a2e:370:7348";

/** From where each kind comes, as handlers say it. */
function originOf(kind: MailKind): Partial<MailToRender> {
  if (["confirm", "confirm-list", "email-taken", "reset", "password-reset"].includes(kind))
    return { requestAddress: address };
  if (["email-changed", "mfa-reset"].includes(kind)) return {};
  return { loginAddress: address, ...(kind !== "email-confirm" && { loginDevice: "Kitchen laptop" }) };
}

if (import.meta.main) {
  const [, , out, directory] = process.argv;
  if (out === undefined) {
    console.error("Usage: node tools/preview-mails.ts OUT [TEMPLATES]");
    process.exit(2);
  }
  try {
    const mails = previewMails(directory);
    mkdirSync(out, { recursive: true });
    for (const { language, kind, subject, text, html } of mails) {
      writeFileSync(join(out, `${language}-${kind}.txt`), `Subject: ${subject}\n\n${text}`);
      writeFileSync(join(out, `${language}-${kind}.html`), html);
    }
    console.log(`${mails.length} mails are in ${out}.`);
  } catch (error) {
    console.error(asError(error).message);
    process.exit(1);
  }
}
