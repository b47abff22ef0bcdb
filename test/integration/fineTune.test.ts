/** `ravl mitigate` and `ravl finetune` from end to end: what they leave, killed at any moment, and given what they cannot use. */
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, readFile, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { readFolder } from '../../src/engine/run/atomic';
import { node } from '../../src/engine/onnx/build';
import { decodeModel, encodeModel } from '../../src/engine/onnx/model';
import { readModel } from '../../src/engine/onnx/readModel';
import type { ModelProto } from '../../src/engine/onnx/schema';
import { readTensor, tensorProto } from '../../src/engine/onnx/tensor';
import { comparisonSchema, metricsLineSchema, type Comparison, type MetricsLine } from '../../src/shared/comparison';
import { writePlantedClip, writePlantedDataset, writePlantedTraining } from '../fixtures/plantedClip';
import { writeTinyClip } from '../fixtures/tinyClip';
import { weightsOf } from '../fixtures/trainedWeights';
import { mayMount, onlyJson, ravl, runFolders, runJson, startRavl, temporaryFolder, type Outcome } from './ravl';

const folder = temporaryFolder();
/** Checkpoint, data and configs; runs lie elsewhere, in roots that begin with a copy of the analysis. */
const project = join(folder, 'project');
const killer = join(folder, 'killPreload.mjs');
let analysis: string;

interface Settings {
  readonly checkpoint?: string;
  readonly validation?: string;
  readonly train?: string | null;
  readonly training?: string;
  readonly more?: string;
}

/** 26 training images in batches of 8: three steps an epoch. */
const yaml = ({ checkpoint = 'clip', validation = 'data/validation.csv', train = 'data/train.csv', training = 'batch: 8, epochs: 2, learningRate: 0.003', more = '' }: Settings = {}) =>
  [
    `checkpoint: ${checkpoint}`,
    `data: { validation: ${validation}${train === null ? '' : `, train: '${train}'`} }`,
    'discovery: { vocabulary: words.txt, clusters: { min: 8, max: 8 } }',
    `training: { ${training} }`,
    more,
  ].join('\n');

/** Writes a config and returns its name. */
async function config(name: string, settings: Settings): Promise<string> {
  await writeFile(join(project, `${name}.yaml`), yaml(settings));
  return `${name}.yaml`;
}

beforeAll(async () => {
  await writePlantedClip(join(project, 'clip'));
  await writePlantedDataset(join(project, 'data'), { images: 72, seed: 7 });
  await writePlantedTraining(join(project, 'data'), { images: 26, seed: 8 });
  await writeFile(join(project, 'words.txt'), 'red\ngreen\nblue\n');
  await config('ravl', {});
  await build({ entryPoints: [join(import.meta.dirname, '../fixtures/killPreload.ts')], outfile: killer, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' });
  expect(await ravl(['analyze', 'ravl.yaml'], project)).toMatchObject({ code: 0 });
  [analysis] = (await runFolders(project)) as [string];
});

/** A folder to make runs in, with the analysis in it. */
async function newRoot(name: string): Promise<string> {
  const root = join(folder, 'roots', name);
  await cp(analysis, join(root, '.ravl', 'runs', analysis.split('/').at(-1)!), { recursive: true });
  return root;
}

const runs = async (root: string, kind: string) => (await Promise.all((await runFolders(root)).map(async (path) => ({ path, file: await runJson(path) })))).filter(({ file }) => file['kind'] === kind);
const onlyRun = async (root: string, kind = 'mitigate') => {
  const found = await runs(root, kind);
  expect(found).toHaveLength(1);
  return found[0]!.path;
};

/** SHA-256 of every file under `root`, by its path from there. */
async function contents(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort();
  const hash = async (file: string) => createHash('sha256').update(await readFile(file)).digest('hex');
  return Object.fromEntries(await Promise.all(files.map(async (file) => [file.slice(root.length + 1), await hash(file)] as const)));
}

/** What must be the same whenever a run starts from the same: all but times, and ids of runs. */
interface Result {
  readonly lines: readonly MetricsLine[];
  readonly comparison: Comparison;
  readonly checkpoints: Record<string, string>;
}

async function resultOf(run: string): Promise<Result> {
  const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n').map((line) => metricsLineSchema.parse(JSON.parse(line)));
  const comparison = comparisonSchema.parse(JSON.parse(await readFile(join(run, 'comparison.json'), 'utf8')));
  return {
    lines: lines.map((line) => ('seconds' in line ? { ...line, seconds: 0 } : line)),
    comparison: comparison.discovery ? { ...comparison, discovery: { ...comparison.discovery, run: '' } } : comparison,
    checkpoints: Object.fromEntries(Object.entries(await contents(run)).filter(([file]) => file.includes('checkpoint/'))),
  };
}

const complete = ['checkpoint', 'comparison.json', 'last-checkpoint', 'locks', 'metrics.jsonl', 'report.html', 'run.json'];

describe('fine-tuning from end to end', () => {
  it('mitigate removes the shortcut from the checkpoint, which every other command reads', async () => {
    const root = await newRoot('mended');
    const { code, stdout } = await ravl(['mitigate', 'ravl.yaml', '--epochs', '4', '--out', root, '--json'], project);
    expect(code).toBe(0);
    const run = await onlyRun(root);
    const json = onlyJson(stdout) as Record<string, unknown>;
    expect(json).toMatchObject({ kind: 'mitigate', run: { folder: run, resumed: false }, checkpoint: join(run, 'checkpoint'), lastCheckpoint: null, training: { epochs: 4, steps: 12, bestEpoch: 4 } });
    expect((await readdir(run)).sort()).toEqual(complete.filter((name) => name !== 'last-checkpoint'));
    expect(await runJson(run)).toMatchObject({ kind: 'mitigate', state: 'complete', error: null });

    const { lines, comparison } = await resultOf(run);
    expect(lines.map(({ type, step }) => (type === 'epoch' ? `after ${step}` : step))).toEqual(['after 0', 1, 2, 3, 'after 3', 4, 5, 6, 'after 6', 7, 8, 9, 'after 9', 10, 11, 12, 'after 12']);
    // By hand the encoder leans on red: where it is, "three" is never right. Now it does not.
    expect(comparison.worstGroup).toMatchObject({ before: { label: 'three', feature: 'present', accuracy: 0 } });
    expect(comparison.worstGroup!.after.accuracy).toBeGreaterThan(0.9);
    expect(comparison.overall.after).toBeGreaterThan(0.95);
    expect(comparison.discovery).toMatchObject({ flaggedBefore: 1, flaggedAfter: 0, strongest: null });
    expect(json['comparison']).toEqual(JSON.parse(await readFile(join(run, 'comparison.json'), 'utf8')));

    const checkpoint = join(run, 'checkpoint');
    expect(await readFolder(checkpoint)).toHaveProperty('files');
    const inspected = await ravl(['inspect', checkpoint, '--json'], project);
    expect(inspected.code).toBe(0);
    const analyzed = await ravl(['analyze', checkpoint, '--validation', 'data/validation.csv', '--out', join(root, 'again'), '--json'], project);
    expect(analyzed.code).toBe(0);
    expect(await newestAccuracy(join(root, 'again'))).toBe(comparison.overall.after);
  });

  it('finetune does the same without regions, and without an analysis', async () => {
    const root = join(folder, 'roots', 'plain');
    const { code, stdout } = await ravl(['finetune', 'ravl.yaml', '--epochs', '1', '--out', root], project);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Plain fine-tuning: 3 steps in 1 epoch/);
    const run = await onlyRun(root, 'finetune');
    expect(await runJson(run)).toMatchObject({ state: 'complete' });
    const { lines, comparison } = await resultOf(run);
    expect(lines.filter(({ type }) => type === 'step').every((line) => 'region' in line && line.region === 0 && line.alignment === 0 && line.loss === line.contrastive)).toBe(true);
    expect(comparison.discovery).toBeUndefined();
    expect((await readdir(run)).filter((name) => !complete.includes(name))).toEqual([]);
  });
});

async function newestAccuracy(root: string): Promise<number> {
  const [run] = await runFolders(root);
  return (JSON.parse(await readFile(join(run!, 'findings.json'), 'utf8')) as { accuracy: { overall: number } }).accuracy.overall;
}

describe('a run that does not get to its end', () => {
  let whole: Result;
  beforeAll(async () => {
    const root = await newRoot('whole');
    expect(await ravl(['mitigate', 'ravl.yaml', '--out', root], project)).toMatchObject({ code: 0 });
    whole = await resultOf(await onlyRun(root));
    // The first of two epochs is the better one: it is kept, and the last one beside it.
    expect(whole.lines.filter((line) => line.type === 'epoch' && line.best)).toMatchObject([{ epoch: 0 }, { epoch: 1, overall: whole.comparison.overall.after }]);
    expect(Object.keys(whole.checkpoints).filter((file) => file.endsWith('vision_model.onnx'))).toEqual(['checkpoint/onnx/vision_model.onnx', 'last-checkpoint/onnx/vision_model.onnx']);
  });

  /** When a process is killed: once it has said something, or at its n-th file operation on a path; the 2nd of a new file is in the middle of its bytes. */
  type Moment = { readonly says: RegExp } | { readonly at: RegExp; readonly operation: number };

  async function killed(args: readonly string[], moment: Moment): Promise<Outcome> {
    if ('at' in moment) return ravl(args, project, { NODE_OPTIONS: `--import=${pathToFileURL(killer).href}`, RAVL_TEST_KILL: JSON.stringify([moment.at.source, moment.operation]) });
    const running = startRavl(args, project);
    await running.says(moment.says);
    running.process.kill('SIGKILL');
    return running.outcome;
  }

  const moments: Record<string, Moment> = {
    'while regions are written': { at: /shards\/\.ravl-tmp-[^/]+\/regions\.npy/, operation: 2 },
    'while the first state is written': { at: /states\/\.ravl-tmp-[^/]+\/weights\.npy/, operation: 2 },
    'in the first epoch': { says: /train: 2 of 6/ },
    'while the best weights are written': { at: /best\/\.ravl-tmp-[^/]+\/weights\.npy/, operation: 2 },
    'before a state takes its name': { at: /states\/000000003-/, operation: 2 },
    // Open, write and sync of the state after the first epoch go before.
    'while the last state is written': { at: /states\/\.ravl-tmp-[^/]+\/v\.npy/, operation: 3 + 2 },
    'in the middle of a line of metrics': { at: /metrics\.jsonl$/, operation: 2 },
    'in the second epoch': { says: /train: 5 of 6/ },
    'while the checkpoint is written': { at: /\.ravl-tmp-[^/]+\/onnx\/vision_model\.onnx/, operation: 2 },
    'before the checkpoint takes its name': { at: /\/checkpoint$/, operation: 2 },
    'between both checkpoints': { at: /\/last-checkpoint$/, operation: 1 },
    'in the analysis of the new checkpoint': { says: /cluster: 0 of/ },
    'before the comparison takes its name': { at: /comparison\.json$/, operation: 1 },
    'before the report takes its name': { at: /report\.html$/, operation: 1 },
    'before what it resumes from is removed': { at: /\/states$/, operation: 2 },
  };

  it('killed over and over ends in the same metrics and the same bytes; so does a second run', async () => {
    const root = await newRoot('killed');
    let resumes = 0;
    for (const [when, moment] of Object.entries(moments)) {
      // In turn the same command, --resume, and --resume with the run's name.
      const more = resumes === 0 ? [] : [[], ['--resume'], ['--resume', (await onlyRun(root)).split('/').at(-1)!]][resumes % 3]!;
      const { signal, stderr } = await killed(['mitigate', 'ravl.yaml', '--out', root, ...more], moment);
      expect({ when, signal }).toEqual({ when, signal: 'SIGKILL' });
      if (resumes++ > 0) expect(stderr).toMatch(/Resuming run \S+, which was interrupted\./);
      const run = await onlyRun(root);
      expect((await readdir(run)).filter((name) => !/^\.ravl-tmp-|^(?:shards|states|best)$/.test(name) && !complete.includes(name))).toEqual([]);
      for (const name of ['checkpoint', 'last-checkpoint']) if ((await readdir(run)).includes(name)) expect(await readFolder(join(run, name))).toHaveProperty('files');
    }
    const run = await onlyRun(root);
    expect(await resultOf(run)).toEqual(whole);
    expect(await runJson(run)).toMatchObject({ state: 'complete', error: null });
    expect(await readdir(run)).toContain('states');
    // The analyses: the one to start from, and one of the new checkpoint, however often the end was tried.
    expect(await runs(root, 'analyze')).toHaveLength(2);

    const { code, stderr } = await ravl(['mitigate', 'ravl.yaml', '--out', root], project);
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/Resuming/);
    const [first, second] = (await runs(root, 'mitigate')).map(({ path }) => path) as [string, string];
    expect(await resultOf(second)).toEqual(whole);
    for (const each of [first, second]) expect((await readdir(each)).sort()).toEqual(complete);
  });

  it('stopped by Ctrl-C ends with 130 and goes on after the step it had made', async () => {
    const root = await newRoot('interrupted');
    const running = startRavl(['mitigate', 'ravl.yaml', '--out', root], project);
    await running.says(/train: 4 of 6/);
    running.process.kill('SIGINT');
    const { code, signal, stdout, stderr } = await running.outcome;
    expect({ code, signal, stdout }).toEqual({ code: 130, signal: null, stdout: '' });
    expect(stderr).toMatch(/Stopping after this step; run again to resume\.\n[^]*Interrupted\.\n {2}Run the same command again to resume\.\n$/);
    const run = await onlyRun(root);
    expect(await runJson(run)).toMatchObject({ state: 'interrupted', error: null });
    expect(await readdir(join(run, 'locks'))).toEqual([]);

    const changed = await ravl(['mitigate', 'ravl.yaml', '--out', root, '--resume', '--learning-rate', '0.001', '--batch', '9'], project);
    expect(changed).toMatchObject({ code: 4, stdout: '' });
    expect(changed.stderr).toMatch(/^Error: Run \S+ cannot be resumed, for these have changed since: training\.batch, training\.learningRate\.\n {2}Restore them, or leave --resume out/m);

    const again = await ravl(['mitigate', 'ravl.yaml', '--out', root, '--resume'], project);
    expect(again.code).toBe(0);
    expect(Number(/Going on after step (\d)\./.exec(again.stderr)?.[1])).toBeGreaterThanOrEqual(4);
    expect(await resultOf(await onlyRun(root))).toEqual(whole);

    const nothing = await ravl(['mitigate', 'ravl.yaml', '--out', root, '--resume'], project);
    expect(nothing).toMatchObject({ code: 4, stdout: '' });
    expect(nothing.stderr).toMatch(/^Error: There is no unfinished mitigate run here to resume\.\n {2}Leave --resume out/m);
  });

  const mounts = mayMount(join(folder, 'mount'));

  it.skipIf(!mounts)('for want of room, or of the right to write, is told in one sentence, and goes on later', async () => {
    const at = join(folder, 'mount');
    const args = ['mitigate', 'ravl.yaml', '--out', at];
    const remount = (options: string) => execFileSync('mount', ['-o', `remount,${options}`, at]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', at]);
    try {
      await cp(analysis, join(at, '.ravl', 'runs', analysis.split('/').at(-1)!), { recursive: true });
      remount('ro');
      const readOnly = await ravl(args, project);
      expect(readOnly).toMatchObject({ code: 4, stdout: '' });
      expect(readOnly.stderr).toMatch(/Error: \S+ lies on a read-only file system\.\n {2}Choose another folder with --out\.\n$/);
      const { blocks, bfree, bsize } = await statfs(at);
      const used = (blocks - bfree) * bsize;
      // Too little for the regions, for the second state, for the checkpoints.
      for (const room of [16, 80, 120]) {
        remount(`rw,size=${used + room * 1024}`);
        const { code, stdout, stderr } = await ravl(args, project);
        expect({ room, code, stdout }).toEqual({ room, code: 4, stdout: '' });
        expect(stderr).toMatch(/Error: The disk is full: \S+ could not be written\.\n {2}Free some space and run again; .*resumes\.\n$/);
      }
      remount('size=16m');
      expect(await ravl(args, project)).toMatchObject({ code: 0 });
      expect(await resultOf(await onlyRun(at))).toEqual(whole);
    } finally {
      execFileSync('umount', ['-l', at]);
    }
  });
});

interface Case {
  /** Makes a config, and what it names, and returns its name. */
  readonly given: (name: string) => Promise<string>;
  readonly kind?: 'finetune';
  readonly args?: readonly string[];
  readonly code: 2 | 3 | 4;
  /** What the sentence and its hint have to say. */
  readonly says: readonly RegExp[];
  /** Whether it shows once a run has begun: that run is marked as failed. */
  readonly begun?: boolean;
}

/** The checkpoint with another image encoder. */
const encoder = (edit: (model: ModelProto) => void) => async (name: string) => {
  await cp(join(project, 'clip'), join(project, name), { recursive: true });
  await editModel(join(project, name, 'onnx', 'vision_model.onnx'), edit);
  return config(name, { checkpoint: name });
};

async function editModel(file: string, edit: (model: ModelProto) => void): Promise<void> {
  const model = decodeModel(await readFile(file));
  edit(model);
  await writeFile(file, encodeModel(model));
}

/** Another training table beside the first; its lines are given those of the first, header included. */
const table = (edit: (lines: string[]) => string[], settings: Settings = {}) => async (name: string) => {
  const lines = (await readFile(join(project, 'data', 'train.csv'), 'utf8')).trim().split('\n');
  await writeFile(join(project, 'data', `${name}.csv`), `${edit(lines).join('\n')}\n`);
  return config(name, { train: `data/${name}.csv`, ...settings });
};

const existing = () => Promise.resolve('ravl.yaml');

const cases: Record<string, Case> = {
  'no training data': { given: (name) => config(name, { train: null }), code: 2, says: [/data\.train is missing/, /data\.columns/] },
  'a training table without captions': { given: table((lines) => lines.map((line) => line.replace('caption', 'text'))), code: 3, says: [/has no column "caption"/, /data\.columns\.caption/] },
  'a folder for training data': { given: (name) => config(name, { train: 'data' }), code: 3, says: [/has no column "caption"/, /list the images in a table/] },
  'no training image that is more than one': { given: table((lines) => lines.slice(0, 2)), code: 3, says: [/has 1 usable image; a contrastive step needs at least 2/] },
  'captions that name no class': { given: table((lines) => lines.map((line, i) => (i === 0 ? line : line.replace(/,.*/, ',a picture')))), code: 3, says: [/No caption of data\/captions that name no class\.csv names exactly one class \(nine, one, three, two\)/, /data\.columns\.caption/] },
  'a training image that is missing': { given: table((lines) => [...lines, 'train/gone.png,one']), code: 3, says: [/1 of the 27 images of .* do not exist: train\/gone\.png \(row 28\)/, /--skip-unreadable/] },
  'a training image that is no image': { given: table((lines) => [...lines, '../words.txt,one']), code: 3, says: [/words\.txt is in no format RaVL decodes/, /--skip-unreadable/], begun: true },
  'a training image that is no image, without regions': { given: table((lines) => [...lines, '../words.txt,one']), kind: 'finetune', code: 3, says: [/words\.txt is in no format RaVL decodes/, /--skip-unreadable/], begun: true },
  'no analysis of this checkpoint': {
    given: encoder(({ graph }) => {
      const at = graph.initializer.findIndex(({ name }) => name.endsWith('projection'));
      const { dims, data } = readTensor(graph.initializer[at]!);
      graph.initializer[at] = tensorProto(graph.initializer[at]!.name, dims, Float32Array.from(data as Float32Array, (value) => 0.9 * value));
    }),
    code: 3,
    says: [/analysis \S+ is of another checkpoint: vision_model\.onnx is not the same now/, /ravl analyze/],
  },
  'data that moved since the analysis': {
    given: async (name) => {
      await cp(join(project, 'data'), join(project, 'moved'), { recursive: true });
      return config(name, { validation: 'moved/validation.csv' });
    },
    code: 3,
    says: [/data has changed since the analysis \S+: images\./, /ravl analyze/],
  },
  'an analysis by a name that there is not': { given: existing, args: ['--run', 'yesterday'], code: 3, says: [/no analysis with the id yesterday/, /\.ravl\/runs/] },
  'a rank that no finding has': { given: existing, args: ['--finding', '9'], code: 3, says: [/analysis \S+ has no finding of rank 9/, /ranks 1 to \d/] },
  'a model with an operator that has no gradient': {
    given: encoder(({ graph }) => {
      const last = graph.node.filter(({ opType }) => opType === 'Relu').at(-1)!;
      const [out] = last.output as [string];
      Object.assign(last, { name: 'inner', output: ['inner'] });
      graph.node.splice(graph.node.indexOf(last) + 1, 0, node('Asinh', ['inner'], [out]));
    }),
    code: 3,
    says: [/no gradient for the operator Asinh \(node "/, /Freeze the weights in front of it \("vision_model\.stem\.weight".*training\.trainable: lastBlocks or names/],
  },
  'a quantized model': {
    given: encoder(({ graph }) => {
      const conv = graph.node.filter(({ opType }) => opType === 'Conv').at(-1)!;
      const at = graph.initializer.findIndex(({ name }) => name === conv.input[1]);
      const { dims, data } = readTensor(graph.initializer[at]!);
      graph.initializer[at] = tensorProto('integers', dims, Int8Array.from(data as Float32Array, (value) => Math.round(100 * value)));
      graph.initializer.push(tensorProto('scale', [], Float32Array.of(0.01)));
      graph.node.splice(graph.node.indexOf(conv), 0, node('DequantizeLinear', ['integers', 'scale'], ['kernel']));
      conv.input[1] = 'kernel';
    }),
    code: 3,
    says: [/vision_model\.onnx is quantized/, /float32 model/],
  },
  'a model for batches of one size': {
    given: encoder(({ graph }) => {
      for (const value of [...graph.input, ...graph.output]) value.type!.tensorType!.shape!.dim[0] = { dimValue: 1 } as never;
    }),
    code: 3,
    says: [/vision_model\.onnx was exported for batches of exactly 1/, /dynamic_axes/],
  },
  'more blocks than there are': { given: (name) => config(name, { training: 'trainable: { lastBlocks: 5 }' }), code: 2, says: [/lastBlocks is 5, and the image encoder vision_model\.onnx has 2 blocks/, /2 at most/] },
  'names that fit no weight': { given: (name) => config(name, { training: 'trainable: { names: [visual] }' }), code: 2, says: [/'visual' under training\.trainable\.names fits no weight/, /vision_model\.stem\.weight/] },
  'no spurious region in the training images': { given: table((lines) => [lines[0]!, ...lines.slice(1).filter((_, i) => plain[i]!)]), code: 3, says: [/No region of .* belongs to the chosen finding/, /another finding/], begun: true },
  'a learning rate that is far too high': { given: (name) => config(name, { training: 'batch: 8, learningRate: 1000000' }), code: 4, says: [/Training diverged/, /last good state is kept\. A learning rate below 1\.0e\+6/], begun: true },
  'a checkpoint in place of a config': { given: () => Promise.resolve('clip'), code: 2, says: [/takes a ravl\.yaml/] },
  'options that contradict each other': { given: existing, args: ['--resume', '--fresh'], code: 2, says: [/--resume and --fresh contradict each other/] },
};

/** Whether each training image has no red quadrant. */
let plain: readonly boolean[];

describe('what cannot be fine-tuned', () => {
  beforeAll(async () => {
    plain = (await writePlantedTraining(join(folder, 'as before'), { images: 26, seed: 8 })).map(({ red }) => red < 0);
  });

  it.each(Object.entries(cases))('%s', async (name, { given, kind = 'mitigate', args = [], code, says, begun = false }) => {
    const file = await given(name);
    const root = await newRoot(name);
    const before = [await contents(project), await contents(root)] as const;
    const told = await ravl([kind, file, '--out', root, ...args], project);
    const sentence = told.stderr.slice(told.stderr.lastIndexOf('Error: '));
    for (const pattern of says) expect(sentence).toMatch(pattern);
    expect(sentence.startsWith('Error: ')).toBe(true);
    expect({ code: told.code, stdout: told.stdout }).toEqual({ code, stdout: '' });
    expect(told.stderr).not.toMatch(/^\s+at .*[:(]\d|node_modules|onnxruntime_src|\.(?:cc|h|cpp):\d|ONNXRuntimeError|\bundefined\b|\[object /m);
    expect(sentence.trim().split('\n').length).toBeLessThanOrEqual(3);
    expect(sentence.length).toBeLessThan(600);

    expect(await contents(project)).toEqual(before[0]);
    expect(await contents(root)).toMatchObject(before[1]);
    const left = await runs(root, kind);
    expect(left).toHaveLength(begun ? 1 : 0);
    for (const { path, file: run } of left) {
      expect(run).toMatchObject({ state: 'failed', error: { message: expect.stringMatching(says[0]!) as string } });
      expect(await readdir(join(path, 'locks'))).toEqual([]);
      expect((await readdir(path)).filter((each) => /checkpoint|comparison|report|^\.ravl-tmp/.test(each))).toEqual([]);
    }
  });

  it('nothing analyzed, or nothing flagged', async () => {
    const root = join(folder, 'roots', 'none');
    const none = await ravl(['mitigate', 'ravl.yaml', '--out', root], project);
    expect(none).toMatchObject({ code: 3, stdout: '' });
    expect(none.stderr).toMatch(/^Error: There is no finished analysis of this checkpoint to take a finding from\.\n {2}Run ravl analyze/m);

    const flagged = await newRoot('unflagged');
    const file = join((await runFolders(flagged))[0]!, 'findings.json');
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('"flagged":true', '"flagged":false'));
    const unflagged = await ravl(['mitigate', 'ravl.yaml', '--out', flagged, '--json'], project);
    expect(unflagged.code).toBe(3);
    expect(onlyJson(unflagged.stdout)).toMatchObject({ error: { code: 'mitigation-no-finding', message: expect.stringMatching(/flagged no finding/) as string, hint: expect.stringMatching(/--finding <rank>/) as string } });
    // What the hint says works: nothing is written by --plan.
    const before = await contents(flagged);
    const planned = await ravl(['mitigate', 'ravl.yaml', '--out', flagged, '--finding', '1', '--plan', '--json'], project);
    expect(planned.code).toBe(0);
    expect(onlyJson(planned.stdout)).toMatchObject({ kind: 'mitigate', images: 26, regions: 4, findings: [1], batch: 8, stepsPerEpoch: 3, steps: 6 });
    expect(await contents(flagged)).toEqual(before);
  });
});

describe('what is unusual and yet works', () => {
  it('images that cannot be read, left out on demand', async () => {
    await cp(join(project, 'data'), join(project, 'holes'), { recursive: true });
    await rm(join(project, 'holes', 'images', '0003.png'));
    await writeFile(join(project, 'holes', 'images', '0004.png'), 'no image');
    await writeFile(join(project, 'holes', 'train', '0005.png'), '');
    await rm(join(project, 'holes', 'train', '0006.png'));
    const file = await config('holes', { validation: 'holes/validation.csv', train: 'holes/train.csv', training: 'epochs: 1, batch: 64' });
    const root = join(folder, 'roots', 'holes');
    const { code, stderr, stdout } = await ravl(['finetune', file, '--out', root, '--skip-unreadable', '--json'], project);
    expect(code).toBe(0);
    expect(stderr).toMatch(/1 of 72 images are missing and left out[^]*1 of 26 images are missing and left out/);
    expect(stderr.match(/Warning: Skipped: The image \S+000[45]\.png .*/g)).toHaveLength(2);
    // A batch larger than what is left takes all of it.
    expect(stderr).toMatch(/There are 24 training images, so each step takes all of them \(training\.batch is 64\)\./);
    expect(onlyJson(stdout)).toMatchObject({ training: { steps: 1, epochs: 1 }, comparison: { images: 70 } });
  });

  /** Weights of an encoder of a checkpoint, by name. */
  const weights = async (checkpoint: string, which: 'vision' | 'text') => weightsOf(await readModel(join(checkpoint, 'onnx', `${which}_model.onnx`)));
  const changedIn = async (checkpoint: string, made: string, which: 'vision' | 'text') => {
    const [before, after] = [await weights(checkpoint, which), await weights(made, which)];
    return [...before.keys()].filter((name) => !Buffer.from(before.get(name)!.buffer).equals(Buffer.from(after.get(name)!.buffer)));
  };
  async function tuned(name: string, settings: Settings): Promise<string> {
    const root = join(folder, 'roots', name);
    const outcome = await ravl(['finetune', await config(name, settings), '--out', root], project);
    expect(outcome).toMatchObject({ code: 0 });
    return join(await onlyRun(root, 'finetune'), 'checkpoint');
  }

  it('the last block alone is trained', async () => {
    const made = await tuned('last block', { training: 'batch: 8, steps: 2, trainable: { lastBlocks: 1 }, earlyStopping: null' });
    expect(await changedIn(join(project, 'clip'), made, 'vision')).toEqual(['vision_model.stage.weight', 'vision_model.projection']);
    expect(await changedIn(join(project, 'clip'), made, 'text')).toEqual([]);
  });

  it('the text encoder is trained too, though both files call a weight by one name', async () => {
    const clip = join(project, 'names');
    await cp(join(project, 'clip'), clip, { recursive: true });
    for (const [file, name] of [['vision_model', 'vision_model.projection'], ['text_model', 'text_model.token_embedding']] as const) {
      await editModel(join(clip, 'onnx', `${file}.onnx`), ({ graph }) => {
        graph.initializer.find((tensor) => tensor.name === name)!.name = 'weight';
        for (const each of graph.node) each.input = each.input.map((input) => (input === name ? 'weight' : input));
      });
    }
    const made = await tuned('names', { checkpoint: 'names', training: 'batch: 8, steps: 2, trainText: true, earlyStopping: null' });
    expect(await changedIn(clip, made, 'vision')).toEqual(['vision_model.stem.weight', 'vision_model.stem.bias', 'vision_model.stage.weight', 'weight']);
    expect(await changedIn(clip, made, 'text')).toEqual(['weight']);
  });

  it('a checkpoint in half precision is trained, and written in half precision', async () => {
    await writeTinyClip(join(project, 'half'), { image: 'resnet', dtype: 'float16' });
    const made = await tuned('half', { checkpoint: 'half', training: 'batch: 8, steps: 2, learningRate: 0.01, earlyStopping: null' });
    const types = async (checkpoint: string) => (await readModel(join(checkpoint, 'onnx', 'vision_model.onnx'))).proto.graph.initializer.map(({ name, dataType }) => [name, dataType]);
    expect(await types(made)).toEqual(await types(join(project, 'half')));
    expect((await changedIn(join(project, 'half'), made, 'vision')).length).toBeGreaterThan(5);
    expect(await changedIn(join(project, 'half'), made, 'text')).toEqual([]);
  });
});
