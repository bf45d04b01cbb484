// Makes a mail's HTML template from its text template, so that both say the same in every kind and language and only
// the text has to be written. It works on templates, before values are inserted; Mustache escapes the values later.
// Paragraphs are separated by empty lines. One that ends with the line {{link}} becomes a button labelled with the
// lines above it. A line with only a section tag or a partial stays unchanged.

export interface HtmlTemplates {
  /** With {{> text}}. */
  paragraph: string;
  /** With {{> label}} and {{link}}. */
  button: string;
}

const opening = /^\{\{\s*[#^]\s*([\w.-]+)\s*\}\}$/;
const closing = /^\{\{\s*\/\s*([\w.-]+)\s*\}\}$/;
const included = /^\{\{\s*[>!].*\}\}$/;
const isTag = (line: string): boolean => opening.test(line) || closing.test(line) || included.test(line);

export function htmlFromText(text: string, templates: HtmlTemplates): string {
  const blocks = text.trim().split(/\n{2,}/);
  return `${blocks.map((block) => htmlOfBlock(block.split("\n"), templates)).join("\n")}\n`;
}

function htmlOfBlock(block: readonly string[], { paragraph, button }: HtmlTemplates): string {
  const { before, lines, after } = unwrapped(block.map((line) => line.trim()));
  if (lines.length === 0) return before.join("\n");
  const isLink = /^\{\{\s*link\s*\}\}$/.test(lines.at(-1)!);
  const inside = isLink
    ? button.replace(/\{\{>\s*label\s*\}\}/, () => escapeWords(lines.slice(0, -1).join(" ").replace(/:$/, "")))
    : paragraph.replace(/\{\{>\s*text\s*\}\}/, () => brokenLines(lines));
  return [...before, inside.trim(), ...after].join("\n");
}

/** Removes the tags around a block: a section that opens before a paragraph must not close within it. */
function unwrapped(block: readonly string[]): { before: string[]; lines: string[]; after: string[] } {
  const lines = [...block];
  const before: string[] = [];
  const after: string[] = [];
  while (lines.length > 0 && isTag(lines[0]!)) {
    const line = lines.shift()!;
    before.push(line);
    const name = opening.exec(line)?.[1];
    if (name !== undefined && closing.exec(lines.at(-1) ?? "")?.[1] === name) after.unshift(lines.pop()!);
  }
  return { before, lines, after };
}

function brokenLines(lines: readonly string[]): string {
  const first = lines.findIndex((line) => !isTag(line));
  return lines
    .map((line, index) => (isTag(line) ? line : `${index > first ? "<br>" : ""}${escapeWords(line)}`))
    .join("\n");
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** Escapes the template's own text; its tags stay. */
function escapeWords(line: string): string {
  return line
    .split(/(\{\{[^}]*\}\})/)
    .map((part, index) => (index % 2 === 1 ? part : part.replace(/[&<>]/g, (character) => entities[character]!)))
    .join("");
}
