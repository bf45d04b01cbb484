// The figures for users: one line a side, min/median/max of the repeats, and what the first side is of its raw limit.
import { availableParallelism, cpus, totalmem } from "node:os";
import type { Spread } from "./measure.ts";
import type { RowResult, SideResult } from "./rows.ts";
import type { ScenarioResult } from "./scenarios.ts";

export interface Machine {
  cores: number;
  memoryGiB: number;
  processor: string;
  node: string;
}

export function machine(): Machine {
  return {
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    processor: cpus()[0]?.model ?? "unknown",
    node: process.version,
  };
}

const columns = ["row", "side", "in flight", "requests/s", "p50 ms", "p99 ms", "CPU µs asking", "CPU µs answering"];

export function table(results: RowResult[]): string {
  const lines = [columns, ...results.flatMap(({ row, sides }) => sides.map((side) => cells(row, side)))];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  return [...text, "", ...results.flatMap(ratios), ...results.flatMap(failures), "", ...whereLines(results)].join("\n");
}

function largest(parts: Record<string, number>): string {
  const said = Object.entries(parts).filter(([, ms]) => ms >= 1);
  return said
    .sort(([, a], [, b]) => b - a)
    .map(([name, ms]) => `${name} ${ms.toFixed(0)}`)
    .join(", ");
}

/** CPU µs a request in each process, largest first; what is below 1 % of the whole is left out. */
function whereLines(results: RowResult[]): string[] {
  const lines = results.flatMap(({ row, sides }) =>
    sides.flatMap(({ name, where }) => {
      const parts = Object.entries(where).sort(([, a], [, b]) => b - a);
      const ours = parts.filter(([each]) => each !== "others");
      const all = ours.reduce((sum, [, us]) => sum + us, 0);
      if (all === 0) return [];
      const said = parts.filter(([, us]) => us >= all / 100).map(([each, us]) => `${each} ${us.toFixed(0)}`);
      return [`${row}, ${name}: ${all.toFixed(0)} = ${said.join(", ")}`];
    }),
  );
  const idle = results.map(({ row, idle: each }) => `${row}, nothing asked, CPU ms a second: ${largest(each)}`);
  return lines.length === 0 ? [] : ["CPU µs a request, all processes of the bench, medians:", ...lines, ...idle];
}

function cells(row: string, { name, width, perSecond, p50, p99, cpu }: SideResult): string[] {
  const { asking, answering } = cpu;
  const times = [show(perSecond, 0), show(p50, 1), show(p99, 1), show(asking, 0)];
  return [row, name, String(width), ...times, answering === undefined ? "-" : show(answering, 0)];
}

function show({ min, median, max }: Spread, digits: number): string {
  return [min, median, max].map((value) => value.toFixed(digits)).join("/");
}

function ratios({ row, sides: [own, limit] }: RowResult): string[] {
  if (own === undefined || limit === undefined) return [];
  const rate = (own.perSecond.median / limit.perSecond.median).toFixed(2);
  const p50 = (own.p50.median / limit.p50.median).toFixed(2);
  return [`${row}: ${rate} of the rate of ${limit.name}, ${p50} times its p50 (medians)`];
}

function failures({ row, sides }: RowResult): string[] {
  return sides
    .filter(({ failed }) => Object.keys(failed).length > 0)
    .map(({ name, failed }) => `${row}: ${name} failed ${JSON.stringify(failed)}`);
}

export function scenarioLines(results: ScenarioResult[]): string[] {
  return results.flatMap(({ row, figures }) =>
    Object.entries(figures).map(([name, value]) => `${row}: ${name}: ${show(value, digitsFor(value))}`),
  );
}

const digitsFor = ({ median }: Spread): number => (median < 10 ? 2 : median < 1000 ? 1 : 0);
