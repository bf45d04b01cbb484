// Checks the Node version: an old one is refused with one sentence, before anything fails in an obscure way.

/** Older ones lack a compression of Kafka in node:zlib, or Promise.withResolvers (before 22). */
const lowest = [22, 15] as const;

/** @param version of Node, as in process.versions. @returns the problem, or undefined */
export function runtimeFault(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > lowest[0] || (major === lowest[0] && minor >= lowest[1])) return undefined;
  return `authfleet-client needs Node ${lowest.join(".")} or later of that line, or Node 24; this is ${version}`;
}
