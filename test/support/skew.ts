// Loaded before a process's own code: `node --import file:///…/skew.ts?600000 src/main.ts worker` runs the worker on a
// machine whose clock is ten minutes fast. Only the wall clock is off; timers and performance.now() go on as they are.
const offset = Number(new URL(import.meta.url).search.slice(1));
if (!Number.isInteger(offset) || offset === 0) throw new Error("how far is the clock off, in ms?");
const right = Date.now;
const now = (): number => right() + offset;

globalThis.Date = new Proxy(Date, {
  apply: (date) => new date(now()).toString(),
  construct: (date, given: unknown[], made) => Reflect.construct(date, given.length === 0 ? [now()] : given, made),
  get: (date, name, proxy) => (name === "now" ? now : Reflect.get(date, name, proxy)),
});
