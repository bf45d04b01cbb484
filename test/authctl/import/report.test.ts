// How an import shows its progress: a bar on a terminal, a line every few seconds elsewhere; by a clock that only the
// test moves.
import { expect, test } from "@jest/globals";
import { importResult, makeProgress } from "../../../src/authctl/import/report.ts";
import { noCounts } from "../../../src/db/imports.ts";

function progress(parts: { onTerminal: boolean; total: number | undefined; unit: "rows" | "bytes" }) {
  const time = { ms: 0 };
  const lines: string[] = [];
  const bars: string[] = [];
  const { total, unit } = parts;
  const made = makeProgress({
    terminal: {
      out: () => undefined,
      err: (line) => void lines.push(line),
      input: async () => "",
      paint: (_, shown) => shown,
      ...(parts.onTerminal && { progress: (line: string) => void bars.push(line) }),
    },
    clock: { now: () => 0, monotonic: () => time.ms },
    counts: { ...noCounts(), rejected: { "id-taken": 2, "row-invalid": 1 } },
    extent: { total, unit },
    from: { position: 0, nextByte: 1000 },
  });
  const moved = (ms: number, rows: number, nextByte = 0): void => {
    time.ms = ms;
    made.moved(rows, { position: rows, nextByte });
  };
  return { ...made, moved, lines, bars };
}

test("a terminal shows a bar, five times a second at the most, and nothing of it stays", () => {
  const { moved, end, bars, lines } = progress({ onTerminal: true, total: 4000, unit: "rows" });
  moved(100, 500);
  moved(1000, 1000);
  moved(1100, 1200);
  moved(2000, 4000);
  end();
  expect(bars).toEqual([
    "[######------------------] 25 %, 1,000 rows, 1,000/s, 3 rejected, 3 s left",
    "[########################] 100 %, 4,000 rows, 2,000/s, 3 rejected, 0 s left",
    "",
  ]);
  expect(lines).toEqual([]);
});

test("elsewhere there is a line every five seconds; of a file by its bytes from where the run began", () => {
  const { moved, end, bars, lines } = progress({ onTerminal: false, total: 1000, unit: "bytes" });
  moved(4999, 10, 1100);
  moved(5000, 10, 1500);
  moved(9999, 20, 1900);
  end();
  expect(lines).toEqual(["50 %, 10 rows, 2/s, 3 rejected, 5 s left"]);
  expect(bars).toEqual([]);
});

test("of what has no known end nothing is guessed", () => {
  const { moved, lines } = progress({ onTerminal: false, total: undefined, unit: "bytes" });
  moved(10_000, 50_000, 5_000_000);
  expect(lines).toEqual(["50,000 rows, 5,000/s, 3 rejected"]);
});

test("what was rejected for its hash is counted by the algorithm's name", () => {
  const counts = {
    ...noCounts(),
    imported: 1000,
    algorithms: { argon2i: 1000 },
    rejected: { "hash-unknown": 3, "hash-too-costly": 1, "id-taken": 2 },
    unverified: { "md5-crypt": 2, "argon2 with a secret key": 1, bcrypt: 1 },
  };
  const report = { source: "x", dryRun: false, rows: 1006, seconds: 1, ended: true, rejects: "r", largestId: 1 };
  const { document, lines } = importResult({ ...report, counts });
  expect(document).toMatchObject({ unverified: counts.unverified });
  expect(lines.slice(7, 11).map((line) => line.replace(/ +/g, " "))).toEqual([
    "for their hash 4",
    " md5-crypt 2",
    " argon2 with a secret key 1",
    " bcrypt 1",
  ]);
});
