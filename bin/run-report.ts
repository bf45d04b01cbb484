// What a test run prints besides its result: warnings of Node that count as failures, the slowest files, and what was
// left out.
// Pure functions over texts and Jest's results; run-jest.js reads and prints.

/**
 * Warnings that are no fault of this project, each by its kind and its cause, so that none hides another.
 * - Node says that something is experimental, or that `punycode` is deprecated (DEP0040), which dependencies import.
 * - @platformatic/kafka adds listeners to a socket each time it closes a connection that is still being made.
 * - slonik's logger adds a listener to standard output, once per process; Jest loads it anew for every file.
 */
const accepted = [
  /^\(node:\d+\) ExperimentalWarning:/,
  /^\(node:\d+\) \[DEP0040\] DeprecationWarning:/,
  /^\(node:\d+\) MaxListenersExceededWarning:[^\n]*\n(?:[^\n]*\n)*?[^\n]*@platformatic\/kafka\/dist\/network\/connection\.js/,
  /^\(node:\d+\) MaxListenersExceededWarning:[^\n]*\n(?:[^\n]*\n)*?[^\n]*roarr\/src\/factories\/createNodeWriter/,
];

/** @param text the warnings of all processes of a run. @returns those that count as failures */
export function faultyWarnings(text: string): string[] {
  const warnings = text.split(/^(?=\(node:\d+\))/m).filter((each) => each !== "");
  return warnings.filter((warning) => !accepted.some((form) => form.test(warning)));
}

export interface JestResults {
  /** Times in Unix ms. */
  testResults: { name: string; startTime: number; endTime: number }[];
}

/** @returns a line for each of the slowest files, with its seconds, the slowest first */
export function slowestFiles(results: JestResults | undefined, most: number): string[] {
  const timed = (results?.testResults ?? []).map(({ name, startTime, endTime }) => ({
    name: name.slice(name.lastIndexOf("/test/") + 1),
    seconds: (endTime - startTime) / 1000,
  }));
  return timed
    .sort((left, right) => right.seconds - left.seconds)
    .slice(0, most)
    .map(({ name, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${name}`);
}

export interface RunScope {
  long: boolean;
  peers: boolean;
  crash: boolean;
  /** AUTH_TEST_KAFKA_DRIVER. */
  driver: string;
  patterns: string[];
}

/** What the run does not cover, and the command that does. */
export function leftOut({ long, peers, crash, driver, patterns }: RunScope): string[] {
  if (patterns.length > 0) return [`every file that does not match ${patterns.join(" ")}`];
  return [
    ...(long ? [] : ["what takes minutes, and what each Kafka driver must do, with the second one: npm run test:long"]),
    ...(peers ? [] : ["what needs other programs (Docker, Go, Chromium and others): npm run test:peers"]),
    ...(crash ? [] : ["faults at random, for minutes, with both Kafka drivers: npm run test:crash"]),
    ...(driver === "platformatic"
      ? []
      : ["a fleet on the second Kafka driver: AUTH_TEST_KAFKA_DRIVER=platformatic npm test"]),
  ];
}
