// Under which Node the library runs: where one is too old it says so in one sentence, before anything fails that nobody
// understands.

/** Below, node:zlib cannot read every compression of Kafka, and Promise.withResolvers is missing before 22. */
const lowest = [22, 15] as const;

/** @param version of Node, as process.versions has it. @returns what is wrong with it */
export function runtimeFault(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > lowest[0] || (major === lowest[0] && minor >= lowest[1])) return undefined;
  return `authfleet-client needs Node ${lowest.join(".")} or later of that line, or Node 24; this is ${version}`;
}
