// One process's metrics for Prometheus: the only file that imports prom-client. The registry is this process's own,
// never the package's global one, so that two processes in one test process do not meet. Every sample carries the
// labels given here. Names follow Prometheus: `auth_<part>_<what>_<unit>`, seconds and bytes, `_total` for counters. A
// label's values must be few: method, topic, code; never a login or an id, which would make a time series per user.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export interface Metrics {
  counter(name: string, help: string, labels?: string[]): Counter;
  /** @param collect is called at each scrape, to set what is cheaper to look up then than to keep up to date. */
  gauge(name: string, help: string, labels?: string[], collect?: (gauge: Gauge) => void): Gauge;
  /** @param buckets upper bounds, ascending; default: 1 ms to 15 s. */
  histogram(name: string, help: string, labels?: string[], buckets?: number[]): Histogram;
  /** All samples in Prometheus's text format. */
  text(): Promise<string>;
  readonly contentType: string;
  /** Forgets everything that was registered; the metrics given out go on working, unseen. */
  stop(): void;
}

/**
 * Gauges of prom-client that are named like counters, which Prometheus's linter objects to. The same is told by type,
 * without `_total`.
 */
const misnamed = ["handles", "requests", "resources"].map((what) => `nodejs_active_${what}_total`);
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

/**
 * @param labels stand on every sample, e.g. {process: "worker"} Process metrics (CPU, memory, event loop delay, garbage
 *   collection) are included. prom-client gives no handle to its two observers; both are unreferenced, so they hold no
 *   process alive.
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
