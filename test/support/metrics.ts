// What a process says of itself on /metrics.

/** The value of a metric that has no labels, or of its first line. @throws Error where there is none */
export async function gauge(http: string, name: string): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
  if (line === undefined) throw new Error(`${http} has no metric ${name}`);
  return Number(line.split(" ").at(-1));
}

/** How far clocks are ahead of the broker's, ms, by the label `clock` of auth_clock_skew_seconds. */
export async function skewsOf(http: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${http}/metrics`)).text();
  const found = text.matchAll(/^auth_clock_skew_seconds\{clock="(\w+)",process="\w+"\} (\S+)$/gm);
  return Object.fromEntries([...found].map(([, clock, seconds]) => [clock!, Number(seconds) * 1000]));
}
