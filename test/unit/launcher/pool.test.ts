import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Launch } from '../../../src/engine/launcher/launch';
import { runLaunch } from '../../../src/engine/launcher/runLaunch';
import type { ProgressEvent } from '../../../src/shared/progress';

let folder: string;
let notes: string[];
const report = (event: ProgressEvent) => event.type === 'note' && notes.push(event.text);
const never = new AbortController().signal;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ravl-pool-'));
  notes = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A launch whose tasks run this program, given `folder`, `stage`, `index`, `request` and `done(name)`, which leaves a file. */
function launch(body: string, stages: Launch['stages'] = [{ name: 'work', tasks: 3 }]): Launch {
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `import { existsSync, readFileSync, writeFileSync } from 'node:fs';
const [, folder, stage, index] = process.argv.slice(2);
const { request } = JSON.parse(readFileSync(folder + '/task.json', 'utf8'));
const there = (name) => existsSync(folder + '/' + name);
const done = (name) => writeFileSync(folder + '/' + name, process.env.RAVL_THREADS);
process.on('disconnect', () => process.exit());
${body}`,
  );
  return { name: 'test', folder: join(folder, 'launch'), stages, task: { kind: 'benchmark', request: { word: 'hello' } }, command: [process.execPath, program] };
}

const left = (pattern: RegExp) => readdirSync(join(folder, 'launch')).filter((name) => pattern.test(name)).sort();

describe('a pool', () => {
  it('runs every task of a stage before the next stage begins, each with its share of the cores', async () => {
    const body = `if (stage === 'last' && !['first-0', 'first-1', 'first-2'].every(there)) process.exit(7);
      done(stage + '-' + index); console.log(request.word, index); process.exit();`;
    await runLaunch(launch(body, [{ name: 'first', tasks: 3 }, { name: 'none', tasks: 0 }, { name: 'last', tasks: 1 }]), { kind: 'pool', processes: 2 }, { report, signal: never });
    expect(left(/^(first|last)/)).toEqual(['first-0', 'first-1', 'first-2', 'last-0']);
    expect(Number(readFileSync(join(folder, 'launch', 'first-0'), 'utf8'))).toBeGreaterThanOrEqual(1);
    expect(readFileSync(join(folder, 'launch', 'logs', 'first-2.log'), 'utf8')).toBe('hello 2\n');
    expect(notes).toEqual([]);
  });

  it('looks at what is done until the end', async () => {
    let seen: string[] = [];
    const looked = () => Promise.resolve(void (seen = left(/^work/)));
    await runLaunch(launch(`done(stage + '-' + index); process.exit();`), { kind: 'pool', processes: 1 }, { report, signal: never, looked });
    expect(seen).toEqual(['work-0', 'work-1', 'work-2']);
  });

  it('starts a task again that a signal ended', async () => {
    const body = `if (index === '1' && !there('killed')) { done('killed'); process.kill(process.pid, 'SIGKILL'); } done(stage + '-' + index); process.exit();`;
    await runLaunch(launch(body), { kind: 'pool' }, { report, signal: never });
    expect(left(/^work/)).toEqual(['work-0', 'work-1', 'work-2']);
    expect(notes).toEqual(['Task 1 of work was ended by SIGKILL and is started again.']);
  });

  it('gives a task up that is killed again and again', async () => {
    await expect(runLaunch(launch(`console.log('so far'); process.kill(process.pid, 'SIGKILL');`, [{ name: 'work', tasks: 1 }]), { kind: 'pool' }, { report, signal: never })).rejects.toMatchObject({
      code: 'launcher-task-lost',
      message: expect.stringMatching(/^Task 0 of work was ended by SIGKILL; the last line of its log, \S+work-0\.log, is: so far\.$/) as string,
    });
    expect(notes).toHaveLength(2);
  });

  it('throws what a task said, and stops the others', async () => {
    const failure = `if (index === '2') { writeFileSync(folder + '/failed-work-2.json', JSON.stringify({ code: 'dataset-x', message: 'No.', hint: 'Do.' })); process.exit(3); }
      writeFileSync(folder + '/pid-' + index, String(process.pid)); setInterval(() => {}, 1000);`;
    await expect(runLaunch(launch(failure), { kind: 'pool', processes: 3 }, { report, signal: never })).rejects.toMatchObject({ code: 'dataset-x', message: 'No.' });
    for (const name of left(/^pid/)) expect(existsSync(`/proc/${readFileSync(join(folder, 'launch', name), 'utf8')}`)).toBe(false);
  });

  it('leaves no task when it is stopped', async () => {
    const controller = new AbortController();
    const looked = () => Promise.resolve(void (left(/^pid/).length === 2 && controller.abort()));
    const body = `writeFileSync(folder + '/pid-' + index, String(process.pid)); setInterval(() => {}, 1000);`;
    await expect(runLaunch(launch(body), { kind: 'pool', processes: 2 }, { report, signal: controller.signal, looked })).rejects.toMatchObject({ name: 'AbortError' });
    const pids = left(/^pid/).map((name) => readFileSync(join(folder, 'launch', name), 'utf8'));
    expect(pids).toHaveLength(2);
    for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  it('forgets what an earlier launch of the folder failed by', async () => {
    const body = `if (there('again')) process.exit(); writeFileSync(folder + '/failed-work-0.json', '{"code":"a","message":"Old.","hint":"b"}'); process.exit(1);`;
    const one = launch(body, [{ name: 'work', tasks: 1 }]);
    await expect(runLaunch(one, { kind: 'pool' }, { report, signal: never })).rejects.toThrow('Old.');
    writeFileSync(join(folder, 'launch', 'again'), '');
    await runLaunch(one, { kind: 'pool' }, { report, signal: never });
    expect(left(/^failed/)).toEqual([]);
  });
});
