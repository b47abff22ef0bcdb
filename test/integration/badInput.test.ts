/** Whatever a person gets wrong ends in one clear sentence and an exit code, and harms nothing that was there. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeModel, encodeModel } from '../../src/engine/onnx/model';
import type { ModelProto } from '../../src/engine/onnx/schema';
import { plantedClasses, writePlantedClip, writePlantedDataset } from '../fixtures/plantedClip';
import { writeJson, wordTokenizer } from '../fixtures/tinyClip';
import { pngHeader } from './images';
import { mayMount, onlyJson, ravl, runFolders, runJson, startRavl, temporaryFolder } from './ravl';

const folder = temporaryFolder();
const images = 24;

/** A checkpoint, its data and a finished run: every case works on a copy of it. */
const intact = join(folder, 'intact');

beforeAll(async () => {
  await writePlantedClip(join(intact, 'clip'));
  await writePlantedDataset(join(intact, 'data'), { images, seed: 7 });
  await writeFile(join(intact, 'words.txt'), 'red\ngreen\nblue\n');
  await writeFile(join(intact, 'ravl.yaml'), yaml());
  expect(await ravl(['analyze', 'ravl.yaml'], intact)).toMatchObject({ code: 0 });
});

const yaml = (more = '', { columns = '', discovery = '' } = {}) =>
  `checkpoint: clip\ndata:\n  validation: data/validation.csv\n${columns}discovery:\n  vocabulary: words.txt\n${discovery}${more}`;

interface Case {
  /** What is wrong with the copy in `at`. */
  readonly breaks?: (at: string) => Promise<void>;
  readonly args?: readonly string[];
  readonly code: 2 | 3 | 4;
  /** What the sentence and its hint have to say. */
  readonly says: readonly RegExp[];
}

const vision = (at: string) => join(at, 'clip', 'onnx', 'vision_model.onnx');
const table = (at: string) => join(at, 'data', 'validation.csv');
const image = (at: string, row: number) => join(at, 'data', 'images', `${String(row).padStart(4, '0')}.png`);

async function editModel(file: string, edit: (model: ModelProto) => void): Promise<void> {
  const model = decodeModel(await readFile(file));
  edit(model);
  await writeFile(file, encodeModel(model));
}

async function editText(file: string, edit: (text: string) => string): Promise<void> {
  await writeFile(file, edit(await readFile(file, 'utf8')));
}

const config = (text: string) => (at: string) => writeFile(join(at, 'ravl.yaml'), text);

const checkpoints: Record<string, Case> = {
  'no checkpoint at all': { args: ['nowhere', '--validation', 'data/validation.csv'], code: 3, says: [/no checkpoint at nowhere/, /path/] },
  'a model that is missing': { breaks: (at) => rm(vision(at)), code: 3, says: [/clip has a text encoder but no image encoder/, /vision_model\.onnx/] },
  'a truncated model': { breaks: (at) => truncate(vision(at), 700), code: 3, says: [/vision_model\.onnx is no whole ONNX model/, /again/] },
  'a garbage model': { breaks: (at) => writeFile(vision(at), Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 251))), code: 3, says: [/vision_model\.onnx/, /again/] },
  'an empty model': { breaks: (at) => writeFile(vision(at), ''), code: 3, says: [/vision_model\.onnx is empty/, /again/] },
  'a PyTorch file': {
    breaks: (at) => writeFile(join(at, 'model.pt'), Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(200)])),
    args: ['model.pt', '--validation', 'data/validation.csv'],
    code: 3,
    says: [/model\.pt is .*torch\.save/, /optimum-cli export onnx/, /torch\.onnx\.export/],
  },
  'a safetensors file': {
    breaks: (at) => writeFile(join(at, 'model.safetensors'), Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')])),
    args: ['model.safetensors', '--validation', 'data/validation.csv'],
    code: 3,
    says: [/model\.safetensors is .*safetensors/i, /optimum-cli export onnx/],
  },
  'a folder with PyTorch weights only': {
    breaks: async (at) => {
      await mkdir(join(at, 'torch'));
      await writeFile(join(at, 'torch', 'pytorch_model.bin'), 'PK');
      await writeFile(join(at, 'torch', 'config.json'), '{}');
    },
    args: ['torch', '--validation', 'data/validation.csv'],
    code: 3,
    says: [/torch holds no ONNX model, only PyTorch weights \(pytorch_model\.bin\)/, /optimum-cli export onnx --model torch /],
  },
  'an image tower without an embedding': {
    breaks: (at) =>
      editModel(vision(at), ({ graph }) => {
        const map = graph.node.filter(({ opType }) => opType === 'Relu').at(-1)!.output[0]!;
        const info = graph.output[0]!;
        const shape = { dim: [2, 6, 8, 8].map((dimValue) => ({ dimValue })) };
        graph.output = [{ ...info, name: map, type: { ...info.type!, tensorType: { ...info.type!.tensorType!, shape } } }] as typeof graph.output;
      }),
    code: 3,
    says: [/vision_model\.onnx has no image embedding among its outputs/, /CLIPVisionModelWithProjection|checkpoint\.imageOutput/],
  },
  'an unknown operator': {
    breaks: (at) => editModel(vision(at), ({ graph }) => void (graph.node.find(({ opType }) => opType === 'Relu')!.opType = 'FancyRelu')),
    code: 3,
    says: [/FancyRelu/, /xport/],
  },
  'the image tower alone': { breaks: (at) => rm(join(at, 'clip', 'onnx', 'text_model.onnx')), code: 3, says: [/clip has an image encoder but no text encoder/, /text_model\.onnx/] },
  "another model's tokenizer": {
    breaks: (at) => writeJson(join(at, 'clip'), wordTokenizer(Array.from({ length: 500 }, (_, i) => `word${i}`), 16)),
    code: 3,
    says: [/tokenizer\.json makes token ids up to 503, but the text encoder knows only 0 to \d+/, /checkpoint\.tokenizer/],
  },
  'no tokenizer': { breaks: (at) => rm(join(at, 'clip', 'tokenizer.json')), code: 3, says: [/no tokenizer\.json with clip/, /checkpoint\.tokenizer/] },
  'no preprocessing': { breaks: (at) => rm(join(at, 'clip', 'preprocessor_config.json')), code: 3, says: [/no preprocessor_config\.json with clip/, /checkpoint\.preprocess/] },
  'a tokenizer that is no JSON': { breaks: (at) => truncate(join(at, 'clip', 'tokenizer.json'), 100), code: 3, says: [/tokenizer\.json is not valid JSON/, /again/] },
  'weights that are not numbers': {
    breaks: (at) => editModel(vision(at), ({ graph }) => void (graph.initializer.find(({ name }) => name.endsWith('projection'))!.rawData = new Uint8Array(6 * 8 * 4).fill(0xff))),
    code: 3,
    says: [/embedding of 'images\/0000\.png' or of one of its regions is not finite/, /float16|fine-tuning/],
  },
};

const data: Record<string, Case> = {
  'no table': { args: ['ravl.yaml', '--validation', 'data/nothing.csv'], code: 3, says: [/nothing\.csv does not exist/, /path/] },
  'an empty table': { breaks: (at) => writeFile(table(at), ''), code: 3, says: [/validation\.csv is empty/, /one row an image/] },
  'a header only': { breaks: (at) => writeFile(table(at), 'image,label\n'), code: 3, says: [/validation\.csv has a header but no rows/, /one row an image/] },
  'a wrong column': {
    breaks: config(yaml('', { columns: '  columns: { label: lable }\n' })),
    code: 3,
    says: [/validation\.csv has no column "lable" for the label; its columns are "image", "label", "red"/, /data\.columns\.label.*did you mean "label"\?/],
  },
  'a ragged row': { breaks: (at) => editText(table(at), (text) => text.replace('images/0002.png,', 'images/0002.png,a,b,')), code: 3, says: [/validation\.csv, row 4, has 5 cells/, /quotes/] },
  'an unknown label': {
    breaks: (at) => editText(table(at), (text) => text.replace('0004.png,nine', '0004.png,nin')),
    args: ['ravl.yaml', ...plantedClasses.flatMap((name) => ['--class', name])],
    code: 3,
    says: [/validation\.csv, row 6, has the label "nin", which is none of the 4 classes/, /Did you mean "nine"\?/],
  },
  'one class only': { breaks: (at) => editText(table(at), (text) => text.replaceAll(/,(one|two|three),/g, ',nine,')), code: 3, says: [/validation\.csv has the single class "nine"/, /at least two/] },
  'missing images': {
    breaks: async (at) => {
      await rm(image(at, 3));
      await rm(image(at, 17));
    },
    code: 3,
    says: [/2 of the 24 images of .*validation\.csv do not exist: images\/0003\.png \(row 5\), images\/0017\.png \(row 19\)/, /--skip-unreadable/],
  },
  'a truncated JPEG': {
    breaks: async (at) => writeFile(image(at, 5), (await sharp(image(intact, 5)).jpeg().toBuffer()).subarray(0, -100)),
    code: 3,
    says: [/0005\.png is damaged or truncated/, /--skip-unreadable/],
  },
  'an image of no bytes': { breaks: (at) => writeFile(image(at, 5), ''), code: 3, says: [/0005\.png is empty/, /--skip-unreadable/] },
  'an image that is text': { breaks: (at) => writeFile(image(at, 5), 'no image'), code: 3, says: [/0005\.png is in no format RaVL decodes/, /--skip-unreadable/] },
  'a decompression bomb': { breaks: (at) => writeFile(image(at, 5), pngHeader(40_000, 40_000)), code: 3, says: [/0005\.png has more than 100 megapixels/, /--skip-unreadable/] },
  'a box outside its image': boxes('[[0,0,32,32],[70,10,20,20]]', [/validation\.csv, row 4 \(images\/0002\.png\), box 2: \[70, 10, 20, 20\] lies outside the image of 64×64 pixels/, /\[x, y, width, height\]/]),
  'a negative box': boxes('[[0,0,-5,32]]', [/validation\.csv, row 4, box 1: \[0, 0, -5, 32\] is empty/, /\[x, y, width, height\]/]),
  'boxes that are no JSON': boxes('0 0 5 5', [/validation\.csv, row 4: the boxes "0 0 5 5" are not JSON/, /\[x, y, width, height\]/]),
  'an empty vocabulary': { breaks: (at) => writeFile(join(at, 'words.txt'), '\n\n'), code: 3, says: [/vocabulary words\.txt is empty/, /one word or phrase a line/] },
};

/** Every row has a box but row 4, the third image, which has these. */
function boxes(cell: string, says: RegExp[]): Case {
  return {
    breaks: async (at) => {
      const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
      const lines = (await readFile(table(at), 'utf8')).trim().split('\n');
      await writeFile(table(at), lines.map((line, i) => `${line},${i === 0 ? 'boxes' : quoted(i === 3 ? cell : '[[0,0,32,32]]')}\n`).join(''));
      await config(yaml('regions: { kind: boxes }\n', { columns: '  columns: { boxes: boxes }\n' }))(at);
    },
    code: 3,
    says,
  };
}

const configs: Record<string, Case> = {
  'a config that is missing': { args: ['ravel.yaml'], code: 2, says: [/ravel\.yaml does not exist/, /ravl init/] },
  'a value of the wrong kind': { breaks: config(yaml('seed: many\n')), code: 2, says: [/ravl\.yaml:6:7: seed/] },
  'an unknown key': { breaks: config(yaml('embeding:\n  mode: crop\n')), code: 2, says: [/ravl\.yaml:6:1: Unknown key "embeding".* did you mean "embedding"\?/] },
  'YAML that is broken': { breaks: config(yaml('prompts: [a, b\n')), code: 2, says: [/ravl\.yaml:\d+:\d+: /] },
  'a prompt without its place for the class': { breaks: config(yaml('prompts: ["a photo"]\n')), code: 2, says: [/ravl\.yaml:6:11: .*\{\}/] },
  'an option that does not exist': { args: ['ravl.yaml', '--mood', 'crop'], code: 2, says: [/unknown option '--mood'/i, /--help/] },
  'a mode that does not exist': { args: ['ravl.yaml', '--mode', 'corp'], code: 2, says: [/--mode.*crop/] },
  'no data': { args: ['clip'], code: 2, says: [/--validation/] },
};

const runs: Record<string, Case> = {
  'a file where the runs belong': {
    breaks: async (at) => {
      await rm(join(at, '.ravl'), { recursive: true });
      await writeFile(join(at, '.ravl'), 'not a folder');
    },
    code: 4,
    says: [/\.ravl\/runs cannot be written because a file stands where a folder is needed/, /--out/],
  },
};

const suites: [string, Record<string, Case>][] = [
  ['checkpoint', checkpoints],
  ['data', data],
  ['config', configs],
  ['run', runs],
];

describe.each(suites)('a wrong %s', (_, cases) => {
  it.each(Object.entries(cases))('%s', async (name, { breaks, args = ['ravl.yaml'], code, says }) => {
    const at = join(folder, name);
    await cp(intact, at, { recursive: true });
    await breaks?.(at);
    const before = await contents(at);

    const told = await ravl(['analyze', ...args], at);
    const sentence = told.stderr.slice(told.stderr.lastIndexOf('Error: '));
    for (const pattern of says) expect(sentence).toMatch(pattern);
    expect(sentence.startsWith('Error: ')).toBe(true);
    expect({ code: told.code, stdout: told.stdout }).toEqual({ code, stdout: '' });
    expectPlain(told.stderr);
    expect(sentence.trim().split('\n').length).toBeLessThanOrEqual(4);
    expect(sentence.length).toBeLessThan(700);

    const asJson = await ravl(['analyze', ...args, '--json'], at);
    expect(asJson.code).toBe(code);
    const { error, ...rest } = onlyJson(asJson.stdout) as { error: Record<string, string> };
    expect(rest).toEqual({});
    expect(Object.keys(error).sort()).toEqual(['code', 'hint', 'message']);
    expect(error.code).not.toBe('internal');
    expect(asJson.stderr).not.toContain('Error: ');
    for (const pattern of says) expect(`${error.message}\n  ${error.hint}`).toMatch(pattern);

    const after = await contents(at);
    expect(Object.fromEntries(Object.keys(before).map((file) => [file, after[file]]))).toEqual(before);
    const unexpected = Object.keys(after).filter((file) => !(file in before) && !/^\.ravl\/runs\//.test(file));
    expect(unexpected).toEqual([]);
  });
});

/** No stack, no C++ locations, no paths into RaVL's own packages. */
function expectPlain(stderr: string): void {
  expect(stderr).not.toMatch(/^\s+at .*[:(]\d/m);
  expect(stderr).not.toMatch(/node_modules|onnxruntime_src|\.(?:cc|h|cpp):\d|ONNXRuntimeError|\bundefined\b|\[object /);
}

/** SHA-256 of every file under `root`, by its path from there. */
async function contents(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hash = async (file: string) => createHash('sha256').update(await readFile(file)).digest('hex');
  return Object.fromEntries(await Promise.all(files.map(async (file) => [file.slice(root.length + 1), await hash(file)] as const)));
}

describe('--skip-unreadable', () => {
  it('goes on without the images that are missing or cannot be read, and counts them', async () => {
    const at = join(folder, 'skipping');
    await cp(intact, at, { recursive: true });
    await rm(image(at, 3));
    await writeFile(image(at, 8), '');
    await writeFile(image(at, 9), pngHeader(40_000, 40_000));
    expect((await ravl(['analyze', 'ravl.yaml'], at)).code).toBe(3);
    const { code, stdout, stderr } = await ravl(['analyze', 'ravl.yaml', '--skip-unreadable', '--json'], at);
    expect(code).toBe(0);
    expect(onlyJson(stdout)).toMatchObject({ images: images - 3, regions: 4 * (images - 3) });
    expect(stderr).toMatch(/Warning: 1 of 24 images are missing and left out: images\/0003\.png \(row 5\)\./);
    expect(stderr.match(/Warning: Skipped: The image \S+000[89]\.png .*/g)).toHaveLength(2);
  });
});

describe('what a newer version of RaVL wrote', () => {
  it('is passed over and stays as it is', async () => {
    const at = join(folder, 'newer');
    await cp(intact, at, { recursive: true });
    const [run] = await runFolders(at);
    const newer = JSON.stringify({ version: 99, future: true });
    await writeFile(join(run!, 'run.json'), newer);
    const { code, stderr } = await ravl(['analyze', 'ravl.yaml'], at);
    expect(code).toBe(0);
    expect(stderr).toMatch(/Warning: Run \S+ is passed over: \S+run\.json was written by a newer version of RaVL \(format 99\)\./);
    expect(await readFile(join(run!, 'run.json'), 'utf8')).toBe(newer);
  });

  it('inside an unfinished run is refused', async () => {
    const at = join(folder, 'newer shard');
    await cp(intact, at, { recursive: true });
    await writePlantedDataset(join(at, 'data'), { images: 200, seed: 7 });
    const running = startRavl(['analyze', 'ravl.yaml', '--out', 'half'], at);
    await running.says(/embed: .*\([4-9]\d%\)/);
    running.process.kill('SIGKILL');
    await running.outcome;
    const [run] = await runFolders(join(at, 'half'));
    const manifest = join(run!, 'shards', '000000', 'ravl-manifest.json');
    await writeFile(manifest, JSON.stringify({ version: 99 }));
    const { code, stderr } = await ravl(['analyze', 'ravl.yaml', '--out', 'half'], at);
    expect(code).toBe(4);
    expect(stderr).toMatch(/^Error: .*000000\/ravl-manifest\.json was written by a newer version of RaVL \(format 99\)\.\n {2}Update RaVL/m);
    expect(await readFile(manifest, 'utf8')).toBe(JSON.stringify({ version: 99 }));
  });
});

const mounts = mayMount(join(folder, 'mount'));

describe.skipIf(!mounts)('a full disk', () => {
  it.each(['4k', '16k', '48k'])('of %s is told in one sentence; with more room the run goes on', async (size) => {
    const at = join(folder, 'mount');
    const args = ['analyze', 'ravl.yaml', '--out', at];
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', at]);
    try {
      const { code, stdout, stderr } = await ravl(args, intact);
      expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
      expect(stderr).toMatch(/Error: The disk is full: \S+ could not be written\.\n {2}Free some space and run again; .*resumes\.\n$/);
      expectPlain(stderr);
      execFileSync('mount', ['-o', 'remount,size=16m', at]);
      const again = await ravl(args, intact);
      expect(again.code).toBe(0);
      const runs = await runFolders(at);
      expect(runs).toHaveLength(1);
      expect(await runJson(runs[0]!)).toMatchObject({ state: 'complete', error: null });
    } finally {
      execFileSync('umount', ['-l', at]);
    }
  });
});
