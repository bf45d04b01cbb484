// Every mail in every language as Chromium shows it, on a phone (360 px) and in a mail program (640 px), light and
// dark: nothing is wider than the screen, all text can be read, buttons can be seen and touched. Pictures of all are
// left in the run's folder.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { placeholdersOf } from "../../src/mail/template-names.ts";
import { mailKinds } from "../../src/protocol/mail-kinds.ts";
import { previewMails } from "../../tools/preview-mails.ts";
import { ownFolder } from "../support/stack.ts";
import { type Browser, startChromium } from "./chromium.ts";

/** What page-looks.js gives. */
interface Looks {
  faults: string[];
  buttons: number;
  links: string[];
}

const look = readFileSync(join(import.meta.dirname, "page-looks.js"), "utf8");

let browser: Browser;
const mails = previewMails();
/** The run's folder goes when all tests have passed; AUTH_TEST_PICTURES names one that stays. */
const pictures = process.env["AUTH_TEST_PICTURES"] ?? ownFolder("mails");
beforeAll(async () => {
  browser = await startChromium(join(ownFolder("chromium"), "profile"));
  mkdirSync(pictures, { recursive: true });
  console.log(`${browser.version}; pictures are in ${pictures}`);
}, 60_000);
afterAll(() => browser.close());

const shown = (html: string, viewport: { width: number; dark?: boolean }): Promise<Looks> =>
  browser.look<Looks>(html, viewport, look);

describe.each([...new Set(mails.map(({ language }) => language))])("in %s", (language) => {
  test.each(mailKinds)("%s is readable on a phone and in a mail program, light and dark", async (kind) => {
    const { html } = mails.find((mail) => mail.language === language && mail.kind === kind)!;
    const { required } = placeholdersOf[kind];
    const wanted = required.includes("accounts") ? 2 : required.includes("link") ? 1 : 0;
    for (const width of [360, 640])
      for (const dark of [false, true]) {
        const { faults, buttons, links } = await shown(html, { width, dark });
        const picture = `${language}-${kind}-${width}${dark ? "-dark" : ""}.png`;
        writeFileSync(join(pictures, picture), await browser.screenshot());
        expect({ picture, faults }).toEqual({ picture, faults: [] });
        expect(buttons).toBe(wanted);
        expect(links.filter((link) => link.startsWith("https://accounts.example.com/"))).toHaveLength(wanted);
      }
  });
});

describe("the control: a page is found wanting", () => {
  const page = (body: string): string =>
    `<!doctype html><meta name="viewport" content="width=device-width"><body>${body}</body>`;
  test.each([
    [
      "whose text is wider than the screen",
      '<p style="white-space: nowrap">'.concat("words ".repeat(100)),
      / px wide$/,
    ],
    ["whose text is small", '<p style="font-size: 12px">x', /^"x" is of 12 px$/],
    ["whose text is pale", '<p style="color: #bbbbbb">x', /^"x" has a contrast of 1\.9$/],
    ["whose text is not shown", '<p style="display: none">x', /^"x" is not within the screen$/],
    [
      "whose button cannot be touched",
      '<p style="background: #0a58ca"><a href="x" style="color: #fff">x</a>',
      /^the button "x" is /,
    ],
  ])("%s", async (_, body, fault) => {
    const { faults } = await shown(page(body), { width: 360 });
    expect(faults).toContainEqual(expect.stringMatching(fault));
  });

  test("and without a button, none is counted", async () => {
    expect(await shown(page('<a href="x">https://x</a>'), { width: 360 })).toEqual({
      faults: [],
      buttons: 0,
      links: ["https://x"],
    });
  });
});
