// What a process says of itself on /metrics.

/** The value of a metric that has no labels, or of its first line. @throws Error where there is none */
export async function gauge(http: string, name: string): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
  if (line === undefined) throw new Error(`${http} has no metric ${name}`);
  return Number(line.split(" ").at(-1));
}
