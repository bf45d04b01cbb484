// Whether a process that was noted earlier is still the same one: a pid alone is used again, pid and start time
// together are not. The start time is the kernel's (field 22 of /proc/PID/stat, clock ticks since boot); where there is
// no /proc, what ps says. A zombie counts as gone: it runs nothing and holds no port.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A text to compare with an earlier one of the same machine; undefined when no such process runs. */
export function startTimeOf(pid: number): string | undefined {
  if (process.platform !== "linux") return startTimeByPs(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in brackets may hold blanks and brackets itself, so the fields are counted from the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function isAlive(pid: number, startTime: string | undefined): boolean {
  const now = startTimeOf(pid);
  return now !== undefined && now === startTime;
}

function startTimeByPs(pid: number): string | undefined {
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return line === "" || line.startsWith("Z") ? undefined : line.replace(/^\S+\s+/, "").replaceAll(/\W+/g, "_");
  } catch {
    return undefined;
  }
}
