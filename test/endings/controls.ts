// The controls of the matrix: each piece of the mechanism is switched off, and cells that it is there for come out
// wrong. Every row has one. Run as a script under sabotage.ts with all of endingFaults, it prints what each control
// came to; without, nothing can be switched off. And a user's generation, raised by three commands at once, where none
// of them asks whether it was raised since it was read.
import { handlerHarness } from "../support/handlers.ts";
import type { endingFaults } from "./faults.ts";
import { type Cell, cellsOf, type First, type Judged, runMatrix, width } from "./matrix.ts";
import { risesAtOnce } from "./scenario.ts";

export interface Control {
  off: (keyof typeof endingFaults)[];
  column: string;
  first: First;
  rows: string[];
}

export const controls: Control[] = [
  {
    off: ["sessions-by-snapshot"],
    column: "login",
    first: "made first",
    rows: [
      ...[
        "logout everywhere",
        "revoke many others",
        "password change",
        "password reset",
        "app activated",
        "passkey added",
      ],
      ...["ban", "the platform's ban", "revoke all by an administrator"],
    ],
  },
  {
    off: ["sessions-by-snapshot"],
    column: "login-mfa",
    first: "made first",
    rows: ["app disabled", "passkey removed", "reset of factors"],
  },
  { off: ["other-sessions-by-snapshot"], column: "login", first: "made first", rows: ["revoke others"] },
  {
    off: ["erased-by-snapshot"],
    column: "login",
    first: "made first",
    rows: ["delete", "delete by an administrator", "the platform's delete", "the platform's administrator's delete"],
  },
  { off: ["codes-by-snapshot"], column: "recovery codes", first: "made first", rows: ["last factor removed"] },
  { off: ["new-codes-by-snapshot"], column: "recovery codes", first: "made first", rows: ["other recovery codes"] },
  { off: ["factors-by-snapshot"], column: "recovery codes", first: "made first", rows: ["reset of factors"] },
  {
    off: ["factors-by-snapshot", "generation-not-demanded"],
    column: "finish a passkey",
    first: "made first",
    rows: ["reset of factors, one being set up"],
  },
  {
    off: ["no-factors-not-demanded"],
    column: "enroll",
    first: "made first",
    rows: ["reset of factors, none begun"],
  },
  { off: ["devices-by-snapshot"], column: "login", first: "made first", rows: ["password reset"] },
  {
    off: ["links-by-snapshot"],
    column: "change-email",
    first: "made first",
    rows: ["revoke one", "revoke one by an administrator", "revoke others", "another address"],
  },
  { off: ["links-by-snapshot"], column: "resend", first: "made first", rows: ["ban"] },
  { off: ["bans-not-seen"], column: "resend, of two", first: "ended first", rows: ["ban"] },
  {
    off: ["link-generation-not-read"],
    column: "forgot",
    first: "made first",
    rows: ["logout everywhere", "password change", "roles"],
  },
  {
    off: ["challenge-generation-not-read"],
    column: "login's challenge",
    first: "made first",
    rows: ["logout everywhere", "roles"],
  },
  { off: ["challenge-time-not-demanded"], column: "login-mfa", first: "ended first", rows: ["revoke others"] },
  {
    off: ["session-not-demanded"],
    column: "enroll",
    first: "ended first",
    rows: [
      "logout",
      "revoke one",
      "revoke one by an administrator",
      "reuse of a refresh token",
      "one session too many",
    ],
  },
  { off: ["generation-not-demanded"], column: "login", first: "ended first", rows: ["roles", "ban", "password reset"] },
  { off: ["generation-not-demanded"], column: "confirm", first: "ended first", rows: ["roles"] },
  { off: ["generation-not-demanded"], column: "forgot", first: "ended first", rows: ["another address"] },
  {
    off: ["deleted-as-read"],
    column: "confirm",
    first: "made first",
    rows: ["not confirmed in time, the platform says", "not confirmed in time"],
  },
];

function cellsOfControl({ column, first, rows }: Control): Cell[] {
  const cells = cellsOf().filter(
    (cell) => cell.column.name === column && cell.first === first && rows.includes(cell.row.name),
  );
  if (cells.length !== rows.length) throw new Error(`a row of the control ${column} is not in the matrix`);
  return cells;
}

interface Controlled {
  off: string;
  judged: Judged[];
}

export interface Controls {
  found: Controlled[];
  /** Least generations that count, in the order of the feed. */
  rises: number[];
}

if (import.meta.main) {
  const harness = await handlerHarness({ poolSize: 2 * width + 6, cheapHashes: true });
  const found: Controlled[] = [];
  for (const control of controls) {
    (globalThis as { off?: Set<string> }).off = new Set(control.off);
    const judged = await runMatrix(harness, harness.url, cellsOfControl(control));
    found.push({ off: control.off.join(" + "), judged });
  }
  (globalThis as { off?: Set<string> }).off = new Set(["generation-not-demanded"]);
  const rises = await risesAtOnce(harness);
  process.stdout.write(JSON.stringify({ found, rises } satisfies Controls));
  process.exit(0);
}
