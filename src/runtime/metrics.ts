// The Prometheus metrics of one process: the only file that imports prom-client. Each process has its own registry, not
// the package's global one, so that two processes in one test do not collide. Every sample has the labels given here.
// Names follow Prometheus: `auth_<part>_<what>_<unit>`, seconds and bytes, `_total` for counters. A label must have few
// values: method, topic, code; never a login or an id, which would make a time series per user.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export interface Metrics {
  counter(name: string, help: string, labels?: string[]): Counter;
  /** @param collect called at each scrape, for values that are cheaper to compute then. */
  gauge(name: string, help: string, labels?: string[], collect?: (gauge: Gauge) => void): Gauge;
  /** @param buckets upper bounds, ascending; default: 1 ms to 15 s. */
  histogram(name: string, help: string, labels?: string[], buckets?: number[]): Histogram;
  /** All samples in Prometheus's text format. */
  text(): Promise<string>;
  readonly contentType: string;
  /** Drops all registered metrics; existing handles keep working without effect. */
  stop(): void;
}

/**
 * Gauges of prom-client with names of counters, which Prometheus's linter rejects; the same values exist by type,
 * without `_total`.
 */
const misnamed = ["handles", "requests", "resources"].map((what) => `nodejs_active_${what}_total`);
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

/**
 * @param labels on every sample, such as {process: "worker"}. Process metrics (CPU, memory, event loop delay, garbage
 *   collection) are included. prom-client gives no handle to its two observers; both are unreferenced, so they keep no
 *   process running.
 */
export function makeMetrics(labels: Record<string, string>): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels(labels);
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  const registers = [registry];
  return {
    counter: (name, help, labelNames = []) => new Counter({ name, help, labelNames, registers }),
    gauge: (name, help, labelNames = [], collect) => {
      const gauge: Gauge = new Gauge({ name, help, labelNames, registers, collect: () => collect?.(gauge) });
      return gauge;
    },
    histogram: (name, help, labelNames = [], buckets = secondsBuckets) =>
      new Histogram({ name, help, labelNames, buckets, registers }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
    stop: () => registry.clear(),
  };
}
