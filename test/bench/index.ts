/**
 * Prints how fast and how large everything is, with the goals beside it: `npm run bench`, or `npm run bench -- a d` for
 * some parts. Nothing is asserted: machines differ, ratios in one run do not.
 *
 * Each part runs in a process of its own, because on Linux the peak memory of a process counts that of its parent when it
 * was started.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const parts: Record<string, () => Promise<void>> = {
  a: async () => (await import('./throughput')).benchThroughput(),
  b: async () => (await import('./clustering')).benchExactClustering(),
  c: async () => (await import('./clustering')).benchSampledClustering(),
  d: async () => (await import('./memory')).benchMemory(),
  e: async () => (await import('./training')).benchTraining(),
  f: async () => (await import('./sampleSeeds')).benchSampleSeeds(),
  g: async () => (await import('./editor')).benchEditor(),
  h: async () => (await import('./size')).benchSize(),
};

const asked = process.argv.slice(2);
if (process.send) {
  await parts[asked[0]!]!();
  process.disconnect();
} else {
  const unknown = asked.filter((name) => !(name in parts));
  if (unknown.length > 0) throw new Error(`No part ${unknown.join(', ')}: there are ${Object.keys(parts).join(', ')}.`);
  console.log(`${availableParallelism()} cores (${cpus()[0]?.model.trim()}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}`);
  for (const name of asked.length > 0 ? asked : Object.keys(parts)) {
    const [code] = (await once(fork(fileURLToPath(import.meta.url), [name], { execArgv: process.execArgv }), 'exit')) as [number];
    if (code !== 0) process.exitCode = 1;
  }
}
