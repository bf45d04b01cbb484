// Where the time of a CPU profile (node --cpu-prof) went, as lines: by function, and by whom it was spent for, that is
// the nearest caller that is a file of ours, else a package. Idle time is left out, so shares are of the time at work;
// the start of a process is in them.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Frame {
  functionName: string;
  url: string;
  lineNumber: number;
}

interface Profile {
  nodes: { id: number; callFrame: Frame; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

const notWork = new Set(["(idle)", "(program)", "(root)"]);
const shown = 25;

export function summarize(folder: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  const parts = files.map((name) => {
    const profile = JSON.parse(readFileSync(join(folder, name), "utf8")) as Profile;
    return `${name}\n${top(profile)}`;
  });
  return parts.join("\n\n");
}

function top({ nodes, samples, timeDeltas }: Profile): string {
  const frames = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const functions = new Map<string, number>();
  const owners = new Map<string, number>();
  let total = 0;
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id)!;
    if (notWork.has(frame.functionName)) continue;
    const time = timeDeltas[index] ?? 0;
    total += time;
    add(functions, `${frame.functionName || "(anonymous)"} ${place(frame)}:${frame.lineNumber + 1}`, time);
    add(owners, owner(id, frames, parents), time);
  }
  const work = `${Math.round(total / 1000)} ms at work`;
  return [work, "spent for:", ...lines(owners, total), "in functions:", ...lines(functions, total)].join("\n");
}

const ours = ({ url }: Frame): boolean => url.startsWith("file:") && !url.includes("/node_modules/");

function place({ url }: Frame): string {
  if (url.includes("/node_modules/")) return url.replace(/^.*\/node_modules\//, "");
  return url.replace(/^.*\/(src|bench)\//, "$1/");
}

function owner(id: number, frames: Map<number, Frame>, parents: Map<number, number>): string {
  let known = "";
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const frame = frames.get(at)!;
    if (ours(frame)) return `${place(frame)} ${frame.functionName || "(anonymous)"}`;
    if (frame.url.includes("/node_modules/")) known ||= place(frame).split("/").slice(0, 4).join("/");
  }
  return known || frames.get(id)!.functionName || "node";
}

function add(sums: Map<string, number>, name: string, time: number): void {
  sums.set(name, (sums.get(name) ?? 0) + time);
}

function lines(sums: Map<string, number>, total: number): string[] {
  return [...sums]
    .sort((a, b) => b[1] - a[1])
    .slice(0, shown)
    .map(([name, time]) => `${((100 * time) / total).toFixed(1).padStart(6)} % ${name}`);
}
