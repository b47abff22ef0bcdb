/** (d) Peak memory and seconds of a whole `ravl analyze` of the 3,108 fashion photos, by the bundle that is shipped. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { goal } from './report';

const fashion = fileURLToPath(new URL('../../../shared/data/fashion', import.meta.url));
const ravl = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
/** Has any Node program say at its end how much memory it had at most, in KiB, on file descriptor 3. */
const tellPeak = "import { writeSync } from 'node:fs'; process.on('exit', () => writeSync(3, String(process.resourceUsage().maxRSS)));";

export async function benchMemory(): Promise<void> {
  if (!existsSync(fashion)) {
    console.warn(`(d) whole analyze: SKIPPED, its data is not at ${fashion}`);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'ravl-bench-'));
  try {
    const config = {
      checkpoint: join(fashion, 'checkpoints/fashion-clip'),
      data: { validation: join(fashion, 'validation.csv') },
      prompts: ['{}'],
      device: 'cpu',
    };
    // JSON is YAML.
    await writeFile(join(folder, 'ravl.yaml'), JSON.stringify(config));
    const started = performance.now();
    const child = spawn(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(tellPeak)}`, ravl, 'analyze', 'ravl.yaml', '--json'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const [out, errors, peak, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), text(child.stdio[3] as Readable), once(child, 'close')]);
    if (code !== 0) throw new Error(`ravl analyze ended with ${code}: ${errors}`);
    const total = (performance.now() - started) / 1000;
    const { images, regions } = JSON.parse(out) as { images: number; regions: number };
    const runs = join(folder, '.ravl', 'runs');
    const [run] = (await readdir(runs, { withFileTypes: true })).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
    const { timings } = JSON.parse(await readFile(join(runs, run!.name, 'run.json'), 'utf8')) as { timings: Record<string, number> };
    const phases = Object.entries(timings).map(([phase, s]) => `${phase} ${s.toFixed(1)} s`);
    console.log(`(d) whole analyze, ${images} photos, ${regions} regions: peak ${goal(Number(peak) / 1024, '≤', 600, ' MiB')}; ${total.toFixed(1)} s: ${phases.join(', ')}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
