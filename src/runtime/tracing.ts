// The caller's trace context (W3C Trace Context, level 1). An invalid or repeated one starts a new trace, without its
// state: tracing never causes an error. What is passed on is well-formed, so later readers need no checks.

export interface Trace {
  traceparent: string | undefined;
  tracestate: string | undefined;
}

const newRoot: Trace = { traceparent: undefined, tracestate: undefined };

/** version, trace id, parent id, flags, and what only versions after 00 may have behind them */
const parentForm = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x20-\x7e]*)?$/;
const maxParentLength = 256;

/** @returns the form of version 00, the one we know; undefined where it is invalid. Accepts any value. */
export function readTraceparent(given: unknown): string | undefined {
  if (typeof given !== "string" || given.length > maxParentLength) return undefined;
  const [, version, traceId, parentId, flags, more] = parentForm.exec(given) ?? [];
  if (version === undefined || version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (!/[^0]/.test(traceId!) || !/[^0]/.test(parentId!)) return undefined;
  return `00-${traceId}-${parentId}-${flags}`;
}

const stateMember =
  /^([a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const maxStateMembers = 32;
/** More than two members of maximum length: implementations must carry 512 characters, not more. */
const maxStateLength = 4096;

/** Whether it is a list of at most 32 members. Empty members are ignored. */
function isState(given: string): boolean {
  if (given.length > maxStateLength) return false;
  const members = given.split(",").map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ""));
  const named = members.filter((member) => member !== "");
  return named.length <= maxStateMembers && named.every((member) => stateMember.test(member));
}

/** A record's headers: a repeated name has several values. */
type Headers = Record<string, Buffer | Buffer[] | undefined>;

/** The trace in a record's headers. */
export function readTrace({ headers }: { headers: Headers }): Trace {
  const [parent, state] = [headers["traceparent"], headers["tracestate"]];
  if (parent === undefined || Array.isArray(parent) || Array.isArray(state)) return newRoot;
  const traceparent = readTraceparent(parent.toString("latin1"));
  const tracestate = state?.toString("latin1");
  if (traceparent === undefined || !isState(tracestate ?? "")) return newRoot;
  return { traceparent, tracestate: tracestate || undefined };
}
