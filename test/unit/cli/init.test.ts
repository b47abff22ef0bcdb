import fc from 'fast-check';
import { EventEmitter } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initialConfigFile } from '../../../src/shared/initFile';
import { runCommandLine } from '../../../src/cli/program';
import { configSchema } from '../../../src/shared/config';
import { configKeys } from '../../../src/shared/configDocs';
import { parseConfig } from '../../../src/shared/configFile';
import { guessColumns } from '../../../src/shared/guessColumns';
import { fakeEngine } from '../../fixtures/fakeEngine';

const simple = { checkpoint: 'clip', validation: 'v.csv', columns: { image: 'image', label: 'label' } };

describe('the file that init writes', () => {
  it('is valid and holds what was found, whatever the names are', () => {
    // Well-formed text only: a lone surrogate cannot be in a UTF-8 file.
    const text = fc.oneof(fc.string({ minLength: 1, maxLength: 12, unit: 'binary' }), fc.constantFrom('null', '1', 'yes', '~', '- a', 'a: b', '#', '[', "'", '"', ' x ', 'a\nb', '\t', '%', '@', '{}', '\u2028', '\x85', '\uFEFF', '<<', '=', '1e3', '2001-01-01'));
    fc.assert(
      fc.property(text, text, fc.option(text, { nil: undefined }), fc.uniqueArray(text, { minLength: 2, maxLength: 2 }), fc.uniqueArray(text, { minLength: 1, maxLength: 5 }), (checkpoint, validation, train, [image, label], classes) => {
        const file = initialConfigFile({ checkpoint, validation, columns: { image: image!, label: label! }, classes, train });
        const { config, issues } = parseConfig(file, 'ravl.yaml');
        expect(issues.filter(({ severity }) => severity === 'error')).toEqual([]);
        expect(config).toEqual(configSchema.parse({ checkpoint, data: { validation, train, columns: { image, label } }, classes }));
      }),
      { numRuns: 150 },
    );
  });

  it('shows every default of its regions, switched off, and switching all on changes nothing', () => {
    const file = initialConfigFile(simple);
    const on = file.replace(/^#(?=\w|  )/gm, '');
    expect(on).not.toBe(file);
    expect(parseConfig(on, 'f').issues).toEqual([]);
    expect(parseConfig(on, 'f').config).toEqual(parseConfig(file, 'f').config);
    const defaults = configKeys().filter((key) => key.default !== undefined && (!key.when || key.when.values.includes('grid')));
    expect(defaults.length).toBeGreaterThan(15);
    for (const { path } of defaults) expect(on).toMatch(new RegExp(`^ *${path.split('.').at(-1)!}:`, 'm'));
  });
});

describe('guessing columns', () => {
  it.each([
    [['image', 'caption', 'label', 'article'], { image: 'image', label: 'label', caption: 'caption' }],
    [['id', 'File Path', 'Class', 'text'], { image: 'File Path', label: 'Class', caption: 'text' }],
    [['img_path', 'category', 'bboxes'], { image: 'img_path', label: 'category', boxes: 'bboxes' }],
    [['filename', 'image_file', 'fine_label'], { image: 'image_file', label: 'fine_label' }],
    [['a', 'b'], {}],
    [['__proto__', 'constructor'], {}],
  ])('%j', (names, expected) => {
    expect(guessColumns(names)).toEqual(expected);
  });
});

describe('ravl init', () => {
  let cwd: string;
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'ravl-init-'));
    mkdirSync(join(cwd, 'clip'));
    mkdirSync(join(cwd, 'config'));
    writeFileSync(join(cwd, 'photos.csv'), '');
  });
  afterEach(() => {
    rmSync(cwd, { recursive: true });
  });

  async function init(argv: readonly string[], names: readonly string[], labels: readonly string[] = ['dog', 'cat', 'dog']): Promise<{ code: number; out: string; err: string }> {
    const [out, err]: [string[], string[]] = [[], []];
    const engine = fakeEngine({ tableColumns: () => Promise.resolve(names), tableLabels: () => Promise.resolve(labels) });
    const terminal = { stdout: { write: (text: string) => out.push(text) }, stderr: { write: (text: string) => err.push(text) }, env: {}, cwd, now: () => 0 };
    const code = await runCommandLine(['init', 'clip', 'photos.csv', ...argv], '0', terminal, engine, new EventEmitter());
    return { code, out: out.join(''), err: err.join('') };
  }

  it('writes paths relative to the file, the classes it saw, and the next command', async () => {
    const { code, out } = await init(['-o', 'config/my.yaml'], ['path', 'class']);
    expect(code).toBe(0);
    expect(out).toContain('Next: ravl analyze config/my.yaml');
    const { config } = parseConfig(readFileSync(join(cwd, 'config/my.yaml'), 'utf8'), 'my.yaml');
    expect(config).toMatchObject({
      checkpoint: '../clip',
      data: { validation: '../photos.csv', columns: { image: 'path', label: 'class' } },
      classes: ['cat', 'dog'],
    });
  });

  it('leaves out a list of more than 50 classes', async () => {
    await init([], ['image', 'label'], Array.from({ length: 51 }, (_, i) => `class ${i}`));
    expect(parseConfig(readFileSync(join(cwd, 'ravl.yaml'), 'utf8'), 'f').config!.classes).toBeUndefined();
  });

  it('refuses to overwrite, until told to', async () => {
    writeFileSync(join(cwd, 'ravl.yaml'), 'mine');
    const refused = await init([], ['image', 'label']);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('ravl.yaml is already there.') as string });
    expect(readFileSync(join(cwd, 'ravl.yaml'), 'utf8')).toBe('mine');
    expect((await init(['--force'], ['image', 'label'])).code).toBe(0);
    expect(readFileSync(join(cwd, 'ravl.yaml'), 'utf8')).toContain('checkpoint: clip');
  });

  it('asks for a column it cannot tell, and takes the answer', async () => {
    const { code, err } = await init([], ['image', 'fruit', 'colour']);
    expect(code).toBe(2);
    expect(err).toContain('photos.csv has no column that is evidently the one with class labels; its columns are image, fruit, colour.');
    expect(err).toContain('--label <column>');
    expect(existsSync(join(cwd, 'ravl.yaml'))).toBe(false);
    expect((await init(['--label', 'fruit'], ['image', 'fruit', 'colour'])).code).toBe(0);
  });

  it('takes a folder with a folder per class', async () => {
    expect((await init([], [])).code).toBe(0);
  });
});
