import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkConfig, configError, parseConfig } from '../../../src/shared/configFile';

const base = 'checkpoint: clip\ndata:\n  validation: v.csv\n';

/** The text an editor would underline for each issue, with the message. */
function underlined(text: string): [string, string][] {
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  return parseConfig(text, 'ravl.yaml').issues.map(({ line, column, endLine, endColumn, message }) => {
    const first = lines[line - 1] ?? '';
    return [endLine === line ? first.slice(column - 1, endColumn - 1) : first.slice(column - 1), message];
  });
}

describe('a valid config', () => {
  it('gets the defaults of the paper', () => {
    const { config, issues } = parseConfig(base, 'ravl.yaml');
    expect(issues).toEqual([]);
    expect(config).toMatchObject({
      checkpoint: 'clip',
      data: { validation: 'v.csv', columns: { image: 'image', label: 'label' } },
      regions: { kind: 'grid', rows: 2, cols: 2 },
      discovery: { temperature: 0.07, minInfluence: 0.25 },
    });
  });

  it('may have a byte order mark, CRLF, anchors and JSON syntax', () => {
    expect(parseConfig(`\uFEFF${base.replaceAll('\n', '\r\n')}`, 'f').issues).toEqual([]);
    expect(parseConfig('checkpoint: &p clip\ndata: { validation: *p }\n', 'f').config?.data.validation).toBe('clip');
    expect(parseConfig('{"checkpoint": "clip", "data": {"validation": "v.csv"}}', 'f').issues).toEqual([]);
  });
});

describe('an issue underlines what is wrong and says what to do', () => {
  it.each<[name: string, text: string, underlined: string, message: string]>([
    ['unknown key', `${base}regoins:\n  kind: grid\n`, 'regoins', 'Unknown key "regoins" in the config; did you mean "regions"?'],
    ['unknown nested key', `${base}regions: { kind: sliding, strides: 1 }\n`, 'strides', 'Unknown key "strides" in regions; did you mean "stride"?'],
    ['key of another kind', `${base}regions: { kind: grid, stride: 1 }\n`, 'stride', 'Unknown key "stride" in regions; the keys there are kind, rows and cols.'],
    ['missing key', 'checkpoint: clip\ndata:\n  train: t.csv\n', 'data', 'data.validation is missing; add it.'],
    ['union', 'checkpoint: 3\ndata: { validation: v }\n', '3', 'checkpoint must be text or a mapping of keys to values, not 3; put quotes around it.'],
    ['union, mapping meant', 'checkpoint: { model: 3 }\ndata: { validation: v }\n', '3', 'checkpoint.model must be text, not 3; put quotes around it.'],
    ['discriminator', `${base}regions: { kind: gird }\n`, 'gird', 'regions.kind must be one of grid, boxes, sliding or proposals, not "gird".'],
    ['discriminator missing', `${base}regions: { rows: 3 }\n`, 'regions', 'regions.kind is missing; it must be one of grid, boxes, sliding or proposals.'],
    ['launcher of another kind', `${base}launcher: { kind: pool, partition: gpu }\n`, 'partition', 'Unknown key "partition" in launcher; the keys there are kind and processes.'],
    ['launcher without kind', `${base}launcher: { time: 10 }\n`, 'launcher', 'launcher.kind is missing; it must be one of local, pool or slurm.'],
    ['name with a line break', `${base}launcher: { kind: slurm, partition: "gpu\\n#SBATCH --hold" }\n`, '"gpu\\n#SBATCH --hold"', 'launcher.partition is "gpu\u{FFFD}#SBATCH --hold"; it must be one line without control characters.'],
    ['option of sbatch that is none', `${base}launcher: { kind: slurm, lines: ["-p gpu"] }\n`, '"-p gpu"', 'launcher.lines[0] is "-p gpu"; an option of sbatch starts with -- and has its value behind =, such as --constraint=a100.'],
    ['option of sbatch that is ours', `${base}launcher: { kind: slurm, lines: [--mem=1G, --array=0-9] }\n`, '--array=0-9', 'launcher.lines[1] is "--array=0-9"; it is an option that RaVL sets itself; leave it out.'],
    ['choice', `${base}device: gpu\n`, 'gpu', 'device must be one of auto, cpu, webgpu, cuda, dml or coreml, not "gpu".'],
    ['fraction', `${base}seed: 1.5\n`, '1.5', 'seed must be a whole number, not 1.5.'],
    ['beyond double', `${base}discovery:\n  temperature: 1e400\n`, '1e400', 'discovery.temperature must be a number, not Infinity.'],
    ['infinity', `${base}seed: .inf\n`, '.inf', 'seed must be a number, not Infinity.'],
    ['exclusive limit', `${base}discovery: { alpha: 1 }\n`, '1', 'discovery.alpha must be below 1, not 1.'],
    ['inclusive limit', `${base}regions: { kind: grid, rows: 0 }\n`, '0', 'regions.rows must be at least 1, not 0.'],
    ['no value', `${base}classes:\n`, 'classes', 'classes has no value; give it a list, or leave the key out.'],
    ['number as class', `${base}classes: [zero, 1]\n`, '1', 'classes[1] must be text, not 1; put quotes around it.'],
    ['prompt', `${base}prompts:\n  - a photo\n`, 'a photo', 'prompts[0] is "a photo"; a prompt needs {} where the class name goes.'],
    ['repeated class', `${base}classes: [cat, dog, cat]\n`, 'cat', 'classes[2] repeats entry 1, "cat"; remove one.'],
    ['duplicate key', `${base}seed: 1\nseed: 2\n`, 'seed', 'The key "seed" is there twice; keep one.'],
    ['tab', 'checkpoint: clip\ndata:\n\tvalidation: v.csv\n', '\t', 'A tab cannot indent YAML; use spaces.'],
    ['__proto__', `${base}__proto__: { polluted: 1 }\n`, '__proto__', 'Unknown key "__proto__" in the config; the keys there are checkpoint, data, classes, prompts, regions, embedding, discovery, training, mitigation, launcher, device and seed.'],
    ['tag', `${base}seed: !!js/function 1\n`, '!!js/function', 'Tags (!name) mean nothing here; remove it.'],
    ['dangling alias', `${base}seed: *s\n`, '*s', '*s refers to no anchor above it; write the value, or quote the text.'],
    ['list as key', `${base}? [a, b]\n: 1\n`, '[a, b]', 'A key must be a word, not a list, a mapping or an alias.'],
    ['clusters', `${base}discovery: { clusters: { min: 9, max: 4 } }\n`, '4', 'discovery.clusters.max is 4, below min, which is 9; make it at least 9.'],
    ['boxes from nowhere', `${base}regions: { kind: boxes }\n`, 'boxes', 'regions.kind is boxes, and the data has none; add data.columns.boxes or data.coco.'],
    ['two sources of boxes', `${base}  coco: c.json\n  columns: { boxes: b }\nregions: { kind: boxes }\n`, 'c.json', 'data.coco and data.columns.boxes both give boxes; keep one.'],
    ['one encoder', 'checkpoint: { vision: v.onnx }\ndata: { validation: v }\n', '{ vision: v.onnx }', "checkpoint names an image encoder only; add text, the text encoder's file."],
    ['not a mapping', 'just text\n', '', 'the config must be a mapping of keys to values, not "just text".'],
  ])('%s', (_, text, expected, message) => {
    expect(underlined(text)).toEqual([[expected, message]]);
    expect(parseConfig(text, 'f').config).toBeUndefined();
  });

  it('at a line and column that count from 1', () => {
    const [issue] = parseConfig(`# first\n\n${base}regions:\n  kind: gird\n`, 'f').issues;
    expect(issue).toMatchObject({ line: 7, column: 9, endLine: 7, endColumn: 13, severity: 'error', path: ['regions', 'kind'] });
    expect(parseConfig('\uFEFFcheckpoint: 3\r\ndata: { validation: v }', 'f').issues[0]).toMatchObject({ line: 1, column: 13, endColumn: 14 });
  });

  it('at the alias when the mistake is in what it stands for', () => {
    const text = 'checkpoint: &c { vision: a, text: b, tokenizr: c }\ndata: *c\n';
    expect(underlined(text).filter(([, message]) => message.includes(' in data'))).toEqual(
      ['vision', 'text', 'tokenizr'].map(() => ['*c', expect.stringMatching(/^Unknown key "\w+" in data/) as string]),
    );
  });

  it('in the order of the file', () => {
    const { issues } = parseConfig('seed: x\ncheckpoint: 1\ndata: 2\n', 'f');
    expect(issues.map(({ line }) => line)).toEqual([1, 2, 3]);
  });

  it('as a warning where the config still works', () => {
    const { config, issues } = parseConfig(`${base}  coco: c.json\n`, 'f');
    expect(config).toBeDefined();
    expect(issues).toMatchObject([{ severity: 'warning', line: 4, column: 9 }]);
  });
});

describe('hostile files', () => {
  it.each([
    ['flow lists', '['.repeat(50_000)],
    ['flow mappings', '{a: '.repeat(20_000)],
    ['block lists', '- '.repeat(3_000)],
  ])('a depth bomb of %s is one sentence', (_, text) => {
    expect(parseConfig(text, 'f').issues.map(({ message }) => message)).toEqual(['The nesting is too deep to read; a config has four levels at most.']);
  });

  it('an alias bomb is refused and not expanded', () => {
    const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`);
    const { config, issues } = parseConfig(`l0: &l0 x\n${levels.join('\n')}\n`, 'f');
    expect(config).toBeUndefined();
    expect(issues[0]!.message).toBe('The anchors (&) and aliases (*) expand to far too much; write the values out.');
  });

  it('an alias inside its own anchor is an error, not a loop', () => {
    expect(parseConfig('checkpoint: &a { model: *a }\ndata: { validation: v }\n', 'f').config).toBeUndefined();
  });

  it('an empty, a huge and a two-document file', () => {
    expect(parseConfig('', 'my.yaml').issues[0]!.message).toMatch(/^my\.yaml is empty/);
    expect(parseConfig('# nothing\n', 'my.yaml').issues[0]!.message).toMatch(/^my\.yaml is empty/);
    expect(parseConfig('#'.repeat(1_000_001), 'my.yaml').issues[0]!.message).toMatch(/^my\.yaml is longer/);
    expect(parseConfig(`${base}---\n${base}`, 'f').issues[0]!.message).toMatch(/several documents/);
  });

  it('any text at all gives issues inside the file or a config, never an exception', () => {
    const word = fc.constantFrom('checkpoint', 'data', 'validation', ': ', '\n', '  ', '- ', '{', '}', '[', ']', ',', '"', '&a ', '*a', '!x ', '? ', '#', '|\n', '1e400', '\t', '\r\n', 'é', '---\n', '__proto__', '<<');
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(word, { maxLength: 40 }).map((words) => words.join(''))), (text) => {
        const { config, issues } = parseConfig(text, 'f');
        expect(config === undefined).toBe(issues.some(({ severity }) => severity === 'error'));
        const lines = text.replace(/^\uFEFF/, '').split('\n');
        for (const { line, column, endLine, endColumn, message } of issues) {
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeLessThanOrEqual(lines[line - 1]!.length + 1);
          expect(endLine > line || (endLine === line && endColumn >= column)).toBe(true);
          expect(message).not.toMatch(/Invalid input|undefined|\[object|Error:/);
          expect(message).not.toContain('\n');
        }
      }),
      // A quote that is never closed once put its end on a line too short for it.
      { numRuns: 500, examples: [['{---\n: é["}\n']] },
    );
  });
});

describe('overrides', () => {
  const seed = (value: unknown) => ({ option: '--seed', path: ['seed'], value });

  it('win over the file and make missing keys good', () => {
    const overrides = [seed(7), { option: '--validation', path: ['data', 'validation'], value: 'other.csv' }];
    const { config, issues } = parseConfig('checkpoint: clip\nseed: 3\n', 'f', overrides);
    expect(issues).toEqual([]);
    expect(config).toMatchObject({ seed: 7, data: { validation: 'other.csv', columns: { image: 'image' } } });
  });

  it('are named by their option when the schema refuses them', () => {
    const { issues } = parseConfig(base, 'f', [seed('x'), { option: '--grid', path: ['regions'], value: { kind: 'grid', rows: 99, cols: 2 } }]);
    expect(issues.map(({ option, message }) => [option, message])).toEqual([
      ['--grid', '--grid rows must be at most 64, not 99.'],
      ['--seed', '--seed must be a number, not "x".'],
    ]);
  });

  it('leave the value they are given alone', () => {
    const value = Object.freeze({ checkpoint: 'clip', data: Object.freeze({ validation: 'v' }) });
    expect(checkConfig(value, [{ option: '--validation', path: ['data', 'validation'], value: 'w' }]).config?.data.validation).toBe('w');
    expect(value.data.validation).toBe('v');
  });
});

describe('configError', () => {
  it('lists ten problems with their places and counts the rest', () => {
    const text = `${base}classes: [${Array.from({ length: 14 }, (_, i) => i).join(', ')}]\n`;
    const lines = configError(parseConfig(text, 'f').issues, 'my/ravl.yaml').message.split('\n');
    expect(lines[0]).toBe('my/ravl.yaml:4:11: classes[0] must be text, not 0; put quotes around it.');
    expect(lines).toHaveLength(11);
    expect(lines[10]).toBe('… and 4 more problems.');
  });

  it('keeps warnings out', () => {
    const { issues } = parseConfig(`${base}  coco: c.json\nseed: x\n`, 'f');
    expect(configError(issues, 'f').message).toBe('f:5:7: seed must be a number, not "x".');
    expect(configError(issues, 'f').code).toBe('config-invalid');
  });
});
