/** `ravl benchmark` on photos, from end to end: a small CLIP, photos of two classes, and an object that comes with one of them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { benchmarkResults, plantInPhotos, writePhotosProject } from './benchmarkPhotos';
import { onlyJson, ravl, startRavl, temporaryFolder, type Outcome } from './ravl';

const folder = temporaryFolder();
beforeAll(() => writePhotosProject(folder));

const results = (out: string) => benchmarkResults(join(folder, out));

const done = async (outcome: Promise<Outcome>) => {
  const { code, stdout, stderr } = await outcome;
  expect({ code, error: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, error: '' });
  return stdout;
};

describe('a shortcut planted in photos', () => {
  it('is learned, found where it lies, and mended', async () => {
    const stdout = await done(ravl([...plantInPhotos, '--out', 'local'], folder));
    expect(stdout).toContain(`"${join(folder, 'red.png')}" is pasted into 128 photos of "${join(folder, 'photos')}" and tied to the class "sea" with a Cramér's V of 0.95`);
    expect(stdout).toContain(`Tables  ${join('local', 'benchmark.md')}`);
    const { detected, mitigated } = await results('local');
    expect(Math.min(detected[0]!.eps1, detected[0]!.eps2)).toBeGreaterThan(30);
    // About one region in eight shows the object.
    expect(detected[0]!.precision['ravl']).toBeGreaterThan(0.6);
    const worst = (id: string) => mitigated.find(({ method }) => method === id)!.image.worstGroup;
    expect(worst('ravl')).toBeGreaterThan(worst('standard') + 0.2);
  });

  it('comes to the same in a pool of processes', async () => {
    const stdout = await done(ravl([...plantInPhotos, '--launcher', 'pool', '--out', 'pool', '--json'], folder));
    expect(onlyJson(stdout)).toMatchObject({ settings: 1 });
    expect(await results('pool')).toEqual(await results('local'));
    expect(await readFile(join(folder, 'pool', 'launch', 'logs', 'settings-0.log'), 'utf8')).toContain('Mitigation by RaVL');
  });

  it('comes to the same when it is killed on the way', async () => {
    const running = startRavl([...plantInPhotos, '--out', 'killed'], folder);
    await running.says(/Mitigation by VL-GDRO/);
    running.process.kill('SIGKILL');
    await running.outcome;
    const { stderr } = await done(ravl([...plantInPhotos, '--out', 'killed'], folder)).then(() => ravl([...plantInPhotos, '--out', 'killed'], folder));
    expect(await results('killed')).toEqual(await results('local'));
    // All is there by now.
    expect(stderr).not.toMatch(/Discovery:|Mitigation by/);
  });

  it('is told of a task that fails, in its sentence, and where its log is', async () => {
    // So large a step that the weights overflow.
    const { code, stderr } = await ravl([...plantInPhotos, '--learning-rate', '1e30', '--launcher', 'pool', '--out', 'failed'], folder);
    expect(code).toBe(4);
    expect(stderr).toContain('Training diverged at step 2: the loss is not finite.');
    expect(stderr).toContain(`The log of that task: ${join(folder, 'failed', 'launch', 'logs', 'settings-0.log')}`);
  });
});

describe('what is asked wrongly', () => {
  it.each([
    ['an object without its class', ['ravl.yaml', '--object', 'red.png'], 2, 'A benchmark on photos needs the image of an object (--object <image>) and the class to tie it to (--tied <class>).'],
    ['an object without photos', ['--object', 'red.png', '--tied', 'sea'], 2, '--object is for a benchmark on photos: name a ravl.yaml or a checkpoint first.'],
    ['a suite beside photos', ['ravl.yaml', '--suite', 'quick'], 2, '--suite has no meaning where a ravl.yaml or a checkpoint is named.'],
    ['a strength that cannot be', ['ravl.yaml', '--object', 'red.png', '--tied', 'sea', '--strength', '2'], 2, '--strength must be a number above 0 and up to 1, not "2".'],
    ['a class that is not there', ['ravl.yaml', '--object', 'red.png', '--tied', 'see'], 3, 'There is no class "see" to tie the object to; the classes are "leaf", "sea".'],
    ['a suite that is not there', ['--suite', 'quik'], 2, '--suite must be one of quick, quick-mnist, paper, full, not "quik".'],
  ])('%s is said in a sentence', async (_, args, code, sentence) => {
    const outcome = await ravl(['benchmark', ...args, '--out', 'refused'], folder);
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toContain(sentence);
  });
});
