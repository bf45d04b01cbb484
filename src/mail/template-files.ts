// Loads the mail templates once, when a mailer starts: the package's own (templates/mail), replaced file by file by
// those in AUTH_MAIL_TEMPLATES. The result can be rendered for every kind in every language; otherwise all faults are
// reported at once, with the file names.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { asError } from "../lib/errors.ts";
import { type MailKind, mailKinds } from "../protocol/mail-kinds.ts";
import { packageRoot } from "../runtime/package-root.ts";
import { htmlFromText } from "./html-from-text.ts";
import { type Allowed, htmlPlaceFaults, linkLineFaults, templateFaults } from "./template-check.ts";
import { commonPlaceholders, phrases, placeholdersOf, sharedFiles, sharedPlaceholders } from "./template-names.ts";

/** The templates of one kind in one language. */
interface MailTemplate {
  subject: string;
  text: string;
  html: string;
}

export interface LanguageTemplates {
  kinds: Readonly<Record<MailKind, MailTemplate>>;
  /** Partials, by name. */
  textPhrases: Readonly<Record<string, string>>;
  htmlPhrases: Readonly<Record<string, string>>;
}

export interface MailTemplates {
  textLayout: string;
  htmlLayout: string;
  /** By primary subtag: en, ru. */
  languages: ReadonlyMap<string, LanguageTemplates>;
}

/** Lists every fault of the templates, one per line. */
export class MailTemplateFault extends Error {
  override readonly name = "MailTemplateFault";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    const count = faults.length === 1 ? "a fault" : `${faults.length} faults`;
    super(`The mail templates have ${count}:\n  ${faults.join("\n  ")}`);
    this.faults = faults;
  }
}

export const builtInTemplates = join(packageRoot, "templates", "mail");

/** @param directory its files replace the built-in ones of the same name. @throws MailTemplateFault */
export function loadMailTemplates(directory?: string): MailTemplates {
  const reading: Reading = { files: new Map(), faults: [] };
  readLayer(builtInTemplates, reading);
  if (directory !== undefined) readLayer(directory, reading);
  const languages = new Set(
    [...reading.files.keys()].filter((file) => file.includes("/")).map((file) => file.split("/")[0]!),
  );
  checkShared(reading);
  for (const language of languages) checkLanguage(language, reading);
  if (reading.faults.length > 0) throw new MailTemplateFault(reading.faults);
  return {
    textLayout: reading.files.get("layout.txt")!.text,
    htmlLayout: reading.files.get("layout.html")!.text,
    languages: new Map([...languages].sort().map((language) => [language, templatesOf(language, reading)])),
  };
}

interface TemplateFile {
  /** The path on disk, for messages. */
  path: string;
  text: string;
}

interface Reading {
  /** By name below the directory: `layout.txt`, `en/confirm.txt`. */
  files: Map<string, TemplateFile>;
  faults: string[];
}

const isLanguage = (name: string): boolean => /^[a-z]{2,3}$/.test(name);

function readLayer(directory: string, reading: Reading): void {
  for (const name of namesIn(directory, reading)) {
    const path = join(directory, name);
    if (isDirectory(path)) {
      if (isLanguage(name))
        for (const file of namesIn(path, reading)) readTemplate(directory, `${name}/${file}`, reading);
      else reading.faults.push(`${path}: is no language: en, ru or another code of two or three letters`);
    } else readTemplate(directory, name, reading);
  }
}

/** Without names that begin with a dot: Kubernetes uses them inside mounted volumes. */
function namesIn(directory: string, { faults }: Reading): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => !name.startsWith("."))
      .sort();
  } catch (error) {
    faults.push(`${directory}: cannot be read: ${asError(error).message}`);
    return [];
  }
}

/** Follows symbolic links, as Kubernetes volumes use them. */
const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

const languageFiles = new Set([
  ...phrases.map((name) => `${name}.txt`),
  ...mailKinds.flatMap((kind) => [`${kind}.txt`, `${kind}.html`]),
]);

function readTemplate(directory: string, name: string, { files, faults }: Reading): void {
  const path = join(directory, name);
  const [file, language] = name.split("/").reverse() as [string, string?];
  if (!/\.(txt|html)$/.test(file)) return; // such as a README
  const isKnown = language === undefined ? (sharedFiles as readonly string[]).includes(file) : languageFiles.has(file);
  if (!isKnown) {
    faults.push(`${path}: is no template: no mail and no part of one has this name`);
    return;
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
    files.set(name, { path, text: text.replaceAll("\r\n", "\n") });
  } catch (error) {
    faults.push(`${path}: cannot be read: ${asError(error).message}`);
  }
}

function checkShared({ files, faults }: Reading): void {
  for (const name of sharedFiles) {
    const file = files.get(name);
    if (file === undefined) {
      faults.push(`${name}: is missing`);
      continue;
    }
    const { required, optional, partials } = sharedPlaceholders[name];
    const allowed = { required, optional: [...commonPlaceholders, ...optional], partials, requiredPartials: partials };
    report(
      file,
      [...templateFaults(file.text, allowed), ...(name.endsWith(".html") ? htmlPlaceFaults(file.text) : [])],
      faults,
    );
  }
}

function report({ path }: TemplateFile, found: readonly string[], faults: string[]): void {
  faults.push(...found.map((fault) => `${path}: ${fault}`));
}

function checkLanguage(language: string, reading: Reading): void {
  const { files, faults } = reading;
  for (const name of [...phrases, ...mailKinds])
    if (!files.has(`${language}/${name}.txt`)) faults.push(`${language}/${name}.txt: is missing`);
  for (const phrase of phrases) {
    const file = files.get(`${language}/${phrase}.txt`);
    if (file !== undefined) report(file, templateFaults(file.text, inPhrase), faults);
  }
  for (const kind of mailKinds) checkKind(language, kind, reading);
}

const inPhrase: Allowed = { required: [], optional: commonPlaceholders, partials: [] };

function checkKind(language: string, kind: MailKind, { files, faults }: Reading): void {
  const { required, optional } = placeholdersOf[kind];
  const inBody: Allowed = { required, optional: [...commonPlaceholders, ...optional], partials: phrases };
  const text = files.get(`${language}/${kind}.txt`);
  if (text !== undefined) {
    const { subject, body } = partsOf(text.text);
    if (subject === undefined) report(text, ["does not begin with a line Subject: and an empty line"], faults);
    const inSubject = templateFaults(subject ?? "", { required: [], optional: ["product"], partials: [] });
    report(
      text,
      inSubject.map((fault) => `its subject ${fault}`),
      faults,
    );
    report(text, [...templateFaults(body, inBody), ...linkLineFaults(body)], faults);
  }
  const html = files.get(`${language}/${kind}.html`);
  if (html !== undefined) report(html, [...templateFaults(html.text, inBody), ...htmlPlaceFaults(html.text)], faults);
}

/** Of a kind's text file: the subject in its first line, and what follows the empty line. */
function partsOf(text: string): { subject: string | undefined; body: string } {
  const [, subject, body] = /^\ufeff?Subject:[ \t]*(\S[^\n]*)\n[ \t]*\n([\s\S]*)$/.exec(text) ?? [];
  return { subject: subject?.trim(), body: body ?? text };
}

function templatesOf(language: string, { files }: Reading): LanguageTemplates {
  const text = (name: string): string => `${files.get(name)!.text.trim()}\n`;
  const parts = { paragraph: text("paragraph.html"), button: text("button.html") };
  const textPhrases = Object.fromEntries(phrases.map((name) => [name, text(`${language}/${name}.txt`)]));
  const htmlPhrases = Object.fromEntries(phrases.map((name) => [name, htmlFromText(textPhrases[name]!, parts)]));
  const kinds = mailKinds.map((kind): [MailKind, MailTemplate] => {
    const { subject = "", body } = partsOf(text(`${language}/${kind}.txt`));
    const own = files.get(`${language}/${kind}.html`)?.text;
    return [kind, { subject, text: body, html: own ?? htmlFromText(body, parts) }];
  });
  return { kinds: Object.fromEntries(kinds) as Record<MailKind, MailTemplate>, textPhrases, htmlPhrases };
}
