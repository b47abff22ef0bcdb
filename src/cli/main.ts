#!/usr/bin/env node
import packageJson from '../../package.json';
import { dieWithParent } from '../engine/launcher/parent';
import { preferPackages } from '../engine/runtime/packages';
import { systemCode } from '../shared/errors';
import type { Engine } from './engine';
import { engineUnavailable } from './errors';
import { runCommandLine } from './program';

// The engine loads native packages: only the commands that need it pay for that, or fail by it.
const engine: Engine = {
  analyze: async (request, report, signal) => (await loaded(import('../engine/discovery/analyze'))).analyze(request, report, signal),
  fineTune: async (request, report, signal) => (await loaded(import('../engine/mitigation/fineTune'))).fineTune(request, report, signal),
  planFineTune: async (request, report, signal) => (await loaded(import('../engine/mitigation/plan'))).planFineTune(request, report, signal),
  benchmark: async (request, report, signal) => (await loaded(import('../engine/benchmark/benchmark'))).benchmark(request, report, signal),
  task: async (folder, stage, index, report, signal) => {
    // In a pool; Slurm looks after its own.
    if (process.send) {
      dieWithParent();
      process.channel?.unref();
    }
    preferPackages(process.env['RAVL_PACKAGES'], (line) => report({ type: 'note', level: 'warning', text: line }));
    const { runTask } = await import('../engine/launcher/task');
    await runTask(folder, stage, index, async ({ kind }, share) => {
      if (kind === 'benchmark') await (await loaded(import('../engine/benchmark/benchmarkTask'))).benchmarkTask(share, report, signal);
      else await (await loaded(import('../engine/discovery/analyzeTask'))).analyzeTask(share, report, signal);
    });
  },
  inspect: async (config, baseDir) => {
    const [{ openCheckpoint }, { describeCheckpoint }] = await loaded(Promise.all([import('../engine/checkpoint/checkpoint'), import('../engine/checkpoint/describe')]));
    return describeCheckpoint(await openCheckpoint(config, baseDir));
  },
  doctor: async () => (await import('../engine/runtime/doctor')).examineMachine(),
  tableColumns: async (source) => (await loaded(import('../engine/dataset/table'))).tableColumns(source),
  tableLabels: async (source, columns) => (await (await loaded(import('../engine/dataset/table'))).loadTable(source, columns)).labels ?? [],
  findRun: async (named, cwd, roots) => (await loaded(import('../engine/evaluation/sides'))).findRun(named, cwd, roots),
  resolveSide: async (named, cwd, roots) => (await loaded(import('../engine/evaluation/sides'))).resolveSide(named, cwd, roots),
  evaluate: async (request, report, signal) => (await loaded(import('../engine/evaluation/compareCheckpoints'))).evaluateSide(request, report, signal),
  compare: async (request, report, signal) => (await loaded(import('../engine/evaluation/compareCheckpoints'))).compareCheckpoints(request, report, signal),
};

async function loaded<T>(room: Promise<T>): Promise<T> {
  return room.catch((error: unknown) => {
    throw ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED'].includes(systemCode(error) ?? '') ? engineUnavailable(error) : error;
  });
}

for (const stream of [process.stdout, process.stderr]) {
  // A reader that left early (`ravl … | head`) is no failure of the run.
  stream.on('error', (error) => {
    if (systemCode(error) !== 'EPIPE') throw error;
  });
}

const terminal = { stdout: process.stdout, stderr: process.stderr, env: process.env, cwd: process.cwd(), now: () => performance.now() };
process.exitCode = await runCommandLine(process.argv.slice(2), packageJson.version, terminal, engine, process);
