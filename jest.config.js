// How Jest runs the tests: TypeScript as ES modules (swc only strips the types, as Node itself does), one stack for all
// files. Three workers for a machine of two cores: files wait for Kafka more than they compute. Nothing is forced to
// exit: an open handle is a fault to be seen.
export default {
  testEnvironment: "node",
  testMatch: ["<rootDir>/test/**/*.test.ts"],
  // What takes minutes: `npm run test:long`. What needs programs that npm, Maven and PyPI do not bring: `npm run test:peers`.
  testPathIgnorePatterns: [
    ...(process.env["AUTH_TEST_LONG"] ? [] : ["<rootDir>/test/long/"]),
    ...(process.env["AUTH_TEST_PEERS"] ? [] : ["<rootDir>/test/peers/"]),
  ],
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2024", parser: { syntax: "typescript" } }, module: { type: "es6" }, sourceMaps: "inline" },
    ],
  },
  globalSetup: "<rootDir>/test/support/globalSetup.ts",
  globalTeardown: "<rootDir>/test/support/globalTeardown.ts",
  maxWorkers: 3,
  testSequencer: "<rootDir>/test/support/sequencer.js",
  testTimeout: 30_000,
  modulePathIgnorePatterns: ["<rootDir>/dist/"],
  watchPathIgnorePatterns: ["<rootDir>/\\.data/", "<rootDir>/stack/\\.jars/"],
};
