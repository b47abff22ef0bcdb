import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findRun, resolveSide } from '../../../src/engine/evaluation/sides';
import { openRun } from '../../../src/engine/run/runFolder';
import type { RunFile } from '../../../src/engine/run/runFile';
import { configSchema, type ConfigInput } from '../../../src/shared/config';
import { writePlantedClip } from '../../fixtures/plantedClip';

const base = await mkdtemp(join(tmpdir(), 'ravl-sides-'));
afterAll(() => rm(base, { recursive: true, force: true }));
const project = join(base, 'project');
const elsewhere = join(base, 'elsewhere');

/** A run under `root`, closed as complete unless told otherwise. */
async function run(root: string, kind: RunFile['kind'], checkpoint: ConfigInput['checkpoint'], state: 'complete' | 'interrupted' = 'complete'): Promise<{ id: string; folder: string }> {
  const config = configSchema.parse({ checkpoint, data: { validation: 'v.csv' } });
  const opened = await openRun({ root: join(root, '.ravl', 'runs'), fingerprint: `${kind}0000`, describe: { kind, versions: {}, seed: 0, config, inputs: {} }, fresh: true }, () => undefined);
  await opened.close({ state });
  return opened;
}

beforeAll(async () => {
  await mkdir(project, { recursive: true });
  await writePlantedClip(join(project, 'clip'));
});

describe('findRun', () => {
  it('finds a run by its id under a root, by its folder, and no other', async () => {
    const { id, folder } = await run(project, 'analyze', 'clip');
    for (const [named, cwd, roots] of [[id, base, [elsewhere, project]], [folder, base, []], [join('.ravl', 'runs', id), project, []]] as const) {
      expect(await findRun(named, cwd, roots)).toMatchObject({ id, folder, kind: 'analyze', complete: true, baseDir: project, config: { checkpoint: 'clip' } });
    }
    expect(await findRun(id, base, [elsewhere])).toBeNull();
    expect(await findRun('clip', project, [project])).toBeNull();
  });
});

describe('resolveSide', () => {
  it('takes a path for a checkpoint', async () => {
    expect(await resolveSide('clip', project, [])).toEqual({ name: 'clip', checkpoint: 'clip', baseDir: project, run: null });
    await expect(resolveSide('20260101-000000-abcdef', project, [project])).rejects.toMatchObject({ code: 'checkpoint-missing', message: 'There is no checkpoint and no run at 20260101-000000-abcdef.' });
  });

  it('takes an analysis for the checkpoint that it analysed, also where the run lies apart from it', async () => {
    const { id } = await run(project, 'analyze', 'clip');
    expect(await resolveSide(id, project, [project])).toMatchObject({ name: `clip (analysis ${id})`, checkpoint: 'clip', baseDir: project, run: { id } });
    const apart = await run(elsewhere, 'analyze', 'clip');
    expect(await resolveSide(apart.folder, base, [project])).toMatchObject({ checkpoint: 'clip', baseDir: project });
  });

  it('takes a fine-tuning run for the checkpoint that it made', async () => {
    const { id, folder } = await run(project, 'mitigate', 'clip');
    expect(await resolveSide(id, project, [project])).toMatchObject({ name: `clip (region-aware fine-tuning ${id})`, checkpoint: join(folder, 'checkpoint') });
    const plain = await run(project, 'finetune', { vision: 'clip/onnx/vision_model.onnx', text: 'clip/onnx/text_model.onnx', tokenizer: 'clip/tokenizer.json', imageOutput: 'image_embeds' });
    expect((await resolveSide(plain.id, project, [project])).checkpoint).toEqual({
      vision: join(plain.folder, 'checkpoint', 'onnx', 'vision_model.onnx'),
      text: join(plain.folder, 'checkpoint', 'onnx', 'text_model.onnx'),
      tokenizer: join(plain.folder, 'checkpoint', 'tokenizer.json'),
      imageOutput: 'image_embeds',
    });
  });

  it('refuses a fine-tuning run that has made nothing yet, and passes errors of run.json on', async () => {
    const { id } = await run(project, 'finetune', 'clip', 'interrupted');
    await expect(resolveSide(id, project, [project])).rejects.toMatchObject({ code: 'mitigation-run-unfinished', hint: expect.stringContaining('ravl finetune') as string });
    const broken = join(project, '.ravl', 'runs', 'broken');
    await mkdir(broken, { recursive: true });
    await writeFile(join(broken, 'run.json'), '{"version":99}');
    await expect(resolveSide('broken', project, [project])).rejects.toMatchObject({ code: 'run-newer-version' });
  });
});
