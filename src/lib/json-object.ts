// JSON objects as values of records, which anybody with access to the broker may have written: no longer than a record
// can be without compression. JSON.parse holds the event loop for 1.4 s with what a batch may unpack to.
const usualMaxBytes = 1024 * 1024;

/** undefined: what is no JSON object, or longer than that. */
export function readJsonObject(value: Buffer | null, maxBytes = usualMaxBytes): Record<string, unknown> | undefined {
  if (value === null || value.length > maxBytes) return undefined;
  try {
    const body: unknown = JSON.parse(value.toString("utf8"));
    return typeof body === "object" && body !== null && !Array.isArray(body)
      ? (body as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
