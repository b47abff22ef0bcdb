/** One `ravl analyze` by the bundle that is shipped, in a process of its own: how long each phase took, and its peak memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

export interface MeasuredRun {
  readonly images: number;
  readonly regions: number;
  readonly seconds: number;
  readonly peakMiB: number;
  /** Seconds a phase. */
  readonly timings: Readonly<Record<string, number>>;
}

const ravl = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
/** Has any Node program say at its end how much memory it had at most, in KiB, on file descriptor 3. */
const tellPeak = "import { writeSync } from 'node:fs'; process.on('exit', () => writeSync(3, String(process.resourceUsage().maxRSS)));";

/** @param folder holds ravl.yaml; the only run in it is the one that is made or resumed */
export async function measuredAnalyze(folder: string): Promise<MeasuredRun> {
  const started = performance.now();
  const child = spawn(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(tellPeak)}`, ravl, 'analyze', 'ravl.yaml', '--json'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const [out, errors, peak, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), text(child.stdio[3] as Readable), once(child, 'close')]);
  if (code !== 0) throw new Error(`ravl analyze ended with ${code}: ${errors}`);
  const seconds = (performance.now() - started) / 1000;
  const { images, regions } = JSON.parse(out) as { images: number; regions: number };
  const runs = join(folder, '.ravl', 'runs');
  const [run] = (await readdir(runs, { withFileTypes: true })).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
  const { timings } = JSON.parse(await readFile(join(runs, run!.name, 'run.json'), 'utf8')) as { timings: Record<string, number> };
  return { images, regions, seconds, peakMiB: Number(peak) / 1024, timings };
}
