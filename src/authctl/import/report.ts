// What an import prints: while it runs, a progress bar on a terminal and a line every few seconds elsewhere; at its
// end, what was imported, what was not and why, and how long it took.
import type { Counts } from "../../db/imports.ts";
import type { Clock } from "../../lib/clock.ts";
import type { CommandResult } from "../command.ts";
import { aligned } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { SourcePosition } from "./source.ts";

const barEveryMs = 200;
const lineEveryMs = 5000;
const barWidth = 24;

export interface Progress {
  moved(rows: number, place: SourcePosition): void;
  /** Takes the bar away. */
  end(): void;
}

export interface ProgressDeps {
  terminal: Terminal;
  clock: Clock;
  counts: Counts;
  extent: { total: number | undefined; unit: "rows" | "bytes" };
  from: SourcePosition;
}

export function makeProgress({ terminal, clock, counts, extent, from }: ProgressDeps): Progress {
  const began = clock.monotonic();
  let shown = began;
  return {
    moved(rows, place) {
      const now = clock.monotonic();
      if (now - shown < (terminal.progress === undefined ? lineEveryMs : barEveryMs)) return;
      shown = now;
      const done = extent.unit === "rows" ? rows : place.nextByte - from.nextByte;
      const share = extent.total === undefined ? undefined : Math.min(done / Math.max(extent.total, 1), 1);
      const words = describeProgress({ rows, share, seconds: (now - began) / 1000, rejected: sum(counts.rejected) });
      if (terminal.progress === undefined) terminal.err(words);
      else terminal.progress(share === undefined ? words : `${bar(share)} ${words}`);
    },
    end: () => terminal.progress?.(""),
  };
}

function bar(share: number): string {
  const full = Math.round(share * barWidth);
  return `[${"#".repeat(full)}${"-".repeat(barWidth - full)}]`;
}

interface Words {
  rows: number;
  share: number | undefined;
  seconds: number;
  rejected: number;
}

function describeProgress({ rows, share, seconds, rejected }: Words): string {
  const left = share === undefined || share === 0 ? undefined : Math.round((seconds / share) * (1 - share));
  return [
    ...(share === undefined ? [] : [`${Math.floor(share * 100)} %`]),
    `${thousands(rows)} rows`,
    `${thousands(rows / seconds)}/s`,
    `${thousands(rejected)} rejected`,
    ...(left === undefined ? [] : [`${left} s left`]),
  ].join(", ");
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, each) => total + each, 0);
const thousands = (value: number): string => Math.round(value).toLocaleString("en");

export interface Report {
  source: string;
  dryRun: boolean;
  /** Of all runs together. */
  counts: Counts;
  /** Of this run. */
  rows: number;
  seconds: number;
  /** Whether it came to the end. */
  ended: boolean;
  rejects: string;
  largestId: number;
}

const int32 = 2 ** 31 - 1;

export function importResult(report: Report): CommandResult {
  const { source, dryRun, counts, rows, seconds, ended, rejects, largestId } = report;
  const { imported, present, gone, rejected, algorithms, unverified } = counts;
  const all = sum(rejected);
  const rowsPerSecond = Math.round(rows / Math.max(seconds, 0.001));
  const peakMemoryMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  const notes = noteLines({ algorithms, largestId, ended, rejected: all, rejects });
  const document = {
    ...{ source, dryRun, ended, imported, present, gone, rejected, algorithms, unverified },
    ...{
      rows,
      seconds: Math.round(seconds * 10) / 10,
      rowsPerSecond,
      peakMemoryMiB,
      rejects: all > 0 ? rejects : null,
      notes,
    },
  };
  const list = (counts: Readonly<Record<string, number>>): [string, string][] =>
    Object.entries(counts)
      .sort(([, left], [, right]) => right - left)
      .map(([name, count]) => [`  ${name}`, thousands(count)]);
  return {
    document,
    lines: [
      ...aligned([
        [dryRun ? "would be imported" : "imported", thousands(imported)],
        ...list(algorithms),
        ["there already", thousands(present)],
        ...(gone > 0 ? [["deleted here since", thousands(gone)] as const] : []),
        ["rejected", thousands(all)],
        ...list(rejected),
        ...(Object.keys(unverified).length > 0 ? [["for their hash", thousands(sum(unverified))] as const] : []),
        ...list(unverified),
      ]),
      `${thousands(rows)} rows in ${seconds.toFixed(1)} s: ${thousands(rowsPerSecond)} a second, ${peakMemoryMiB} MiB at most${dryRun ? "; nothing was written" : ""}.`,
      ...notes,
    ],
    failed: !ended || all > 0,
  };
}

interface Noted extends Pick<Report, "ended" | "rejects" | "largestId"> {
  algorithms: Readonly<Record<string, number>>;
  rejected: number;
}

function noteLines({ algorithms, largestId, ended, rejected, rejects }: Noted): string[] {
  const { bcrypt = 0 } = algorithms;
  return [
    ...(rejected > 0 ? [`Rejected rows and why: ${rejects}`] : []),
    ...(bcrypt > 0
      ? [
          "bcrypt reads only the first 72 bytes of a password: a longer one is taken by those, until its owner logs in and all of it is hashed.",
        ]
      : []),
    ...(largestId > int32
      ? [
          `The largest id is ${largestId}: the gateway cannot show ids above ${int32}, and new users get larger ones still.`,
        ]
      : []),
    ...(ended ? [] : ["It was stopped: the same command goes on where it ended."]),
  ];
}
