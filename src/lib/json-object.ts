// JSON objects from untrusted records: no longer than an uncompressed record can be. JSON.parse holds the event loop
// for 1.4 s with what a batch may unpack to.
const usualMaxBytes = 1024 * 1024;

/** undefined: not a JSON object, or too long. */
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
