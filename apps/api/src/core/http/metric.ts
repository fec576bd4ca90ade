import { type Metric, register } from 'prom-client';

/** One of each name for a process, however many servers run in it. */
export function metric<T extends Metric>(name: string, make: (name: string) => T): T {
  return (register.getSingleMetric(name) as T | undefined) ?? make(name);
}
