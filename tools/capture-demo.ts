// Writes docs/demo.svg: what `authctl demo` prints, as a picture of a terminal. While `npm start` runs:
// `npx node tools/capture-demo.ts`. The picture holds text, so it stays sharp, can be searched, and is small.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const margin = 16;
const line = { height: 19, width: 8.43 };

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** @param text what a terminal shows, without colours */
export function terminalPicture(command: string, text: string): string {
  const lines = [`$ ${command}`, ...text.trimEnd().split("\n")];
  const columns = Math.max(...lines.map((each) => each.length));
  const width = Math.ceil(columns * line.width + 2 * margin);
  const height = lines.length * line.height + 2 * margin;
  const rows = lines.map((each, index) => {
    const y = margin + (index + 0.75) * line.height;
    const colour = index === 0 ? ` fill="#7ee787"` : "";
    return `<text x="${margin}" y="${y}"${colour} xml:space="preserve">${escaped(each)}</text>`;
  });
  const font = `font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img">`,
    `<title>${escaped(command)}</title>`,
    `<rect width="100%" height="100%" rx="8" fill="#0d1117"/>`,
    `<g ${font} fill="#e6edf3">`,
    ...rows,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

if (import.meta.main) {
  const shown = execFileSync(process.execPath, [join(root, "bin", "authctl.js"), "demo"], { encoding: "utf8" });
  writeFileSync(join(root, "docs", "demo.svg"), terminalPicture("npx authctl demo", shown));
}
