/** What the editor asks for (workerApi.ts), passed on to the engine. */
import type { Viewer } from '../engine/viewer/viewer';
import type { OpenedRun } from '../engine/run/runFolder';
import { RavlError } from '../shared/errors';
import type { EventSender, Handlers } from '../shared/rpc';
import type { WorkerApi, workerEvents } from '../shared/workerApi';
import { loaded } from './engine';
import { compare, evaluate } from './measure';
import { throttled } from './progress';

/**
 * @param cacheBytes of pictures that a run's cache may hold
 * @param log takes the stack of what is a defect; the person gets its message alone
 */
export function workerHandlers(send: EventSender<typeof workerEvents>, cacheBytes: number, log: (text: string) => void): Handlers<WorkerApi> {
  const report = throttled((event) => send('progress', event));
  const opened = (run: OpenedRun) => send('run', { ...run, state: 'running' });
  let finishing: AbortController | null = null;
  let viewer: Promise<Viewer> | null = null;
  const openedViewer = async () => (await loaded(import('../engine/viewer/viewer'))).openViewer({ cacheBytes, report: (progress) => send('viewProgress', progress) });

  return logged(log, {
    ping: () => ({ pid: process.pid }),
    async analyze(params, signal) {
      const { analyze } = await loaded(import('../engine/discovery/analyze'));
      const { run, device, reportFile, findings } = await analyze({ ...params, opened }, report, signal);
      const flagged = findings.findings.filter((finding) => finding.flagged);
      const [top] = flagged;
      return { run, device, reportFile, flagged: flagged.length, top: top ? { name: top.name, attribute: top.attribute, gap: top.gap } : null };
    },
    async fineTune(params, signal) {
      const { fineTune } = await loaded(import('../engine/mitigation/fineTune'));
      finishing = new AbortController();
      try {
        const { run, device, reportFile, checkpoint, training, comparison } = await fineTune({ ...params, opened, finish: finishing.signal }, report, signal);
        const { summary, overall, worstGroup } = comparison;
        return { run, device, reportFile, checkpoint, ended: training.ended, bestEpoch: training.bestEpoch, comparison: { summary, overall, worstGroup } };
      } finally {
        finishing = null;
      }
    },
    finish() {
      finishing?.abort();
      return finishing !== null;
    },
    plan: async (params, signal) => (await loaded(import('../engine/mitigation/plan'))).planFineTune(params, report, signal),
    async inspect({ checkpoint, baseDir }) {
      const [{ openCheckpoint }, { describeCheckpoint }] = await loaded(Promise.all([import('../engine/checkpoint/checkpoint'), import('../engine/checkpoint/describe')]));
      return describeCheckpoint(await openCheckpoint(checkpoint, baseDir));
    },
    evaluate: (params, signal) => evaluate(params, report, signal),
    compare: (params, signal) => compare(params, report, signal),
    doctor: async () => (await loaded(import('../engine/runtime/doctor'))).examineMachine(),
    tableColumns: async ({ source }) => (await loaded(import('../engine/dataset/table'))).tableColumns(source),
    tableLabels: async ({ source, image, label }) => (await (await loaded(import('../engine/dataset/table'))).loadTable(source, { image, label })).labels ?? [],
    listRuns: async ({ root }) => (await loaded(import('../engine/run/summaries'))).runSummaries(root),
    async deleteRun({ folder }) {
      await (await loaded(import('../engine/run/deleteRun'))).deleteRun(folder);
      return true;
    },
    async view({ folder, query, params }, signal) {
      viewer ??= openedViewer();
      // What kept it from opening may be gone the next time.
      viewer.catch(() => (viewer = null));
      return bytesAlone(await (await viewer).ask(folder, query, params, signal));
    },
  });
}

/** A Buffer arrives as one, and what a page receives of that is no Uint8Array. */
function bytesAlone(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(bytesAlone);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, bytesAlone(each)]));
}

/** Writes the stack of what nobody expected into the log. */
function logged(log: (text: string) => void, handlers: Handlers<WorkerApi>): Handlers<WorkerApi> {
  const wrap = (name: string, handler: (params: never, signal: AbortSignal) => unknown) => async (params: never, signal: AbortSignal) => {
    try {
      return await handler(params, signal);
    } catch (error) {
      const expected = error instanceof Error && (error instanceof RavlError || error.name === 'AbortError');
      if (!expected) log(`${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      throw error;
    }
  };
  return Object.fromEntries(Object.entries(handlers).map(([name, handler]) => [name, wrap(name, handler)])) as unknown as Handlers<WorkerApi>;
}
