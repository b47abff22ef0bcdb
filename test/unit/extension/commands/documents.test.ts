import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commands } from '../../../../src/extension/names';
import { RavlError } from '../../../../src/shared/errors';
import type { Evaluated, Inspection, Machine, Plan } from '../../../../src/shared/workerApi';
import { aConfig, fakeExtension } from '../../../fixtures/fakeExtension';
import { fake, Uri, window } from '../../../fixtures/fakeVscode';
import { settled } from '../../../fixtures/fakeWorkers';

let world: ReturnType<typeof fakeExtension>;
beforeEach(async () => {
  world = fakeExtension();
  world.write('ravl.yaml', aConfig);
  await world.start();
});
afterEach(() => world.stop());

/** The document that is shown rendered. */
async function document(): Promise<string> {
  await settled();
  const { args } = fake.executed.findLast(({ command }) => command === 'markdown.showPreview')!;
  return String(await fake.contentProviders.get('ravl')!.provideTextDocumentContent(args[0] as Uri));
}

const encoder = { dtype: 'float32', opset: 17, producer: 'pytorch', nodes: 120, parameters: 1_234_567, quantized: false };
const inspection: Inspection = {
  name: 'clip', dim: 512, logitScale: 100.00001, notes: ['Preprocessing is CLIP’s own.'], files: [{ role: 'vision', path: 'onnx/vision_model.onnx', bytes: 352_000_000, sha256: 'abcdef0123456789' }],
  image: { ...encoder, height: 224, width: 224, family: 'vit' }, text: encoder, tokenizer: { kind: 'BPE', vocabulary: 49_408 },
};
const evaluated: Evaluated = {
  name: 'clip', device: { requested: 'auto', used: 'cpu', reason: '' }, images: 800, overall: 0.75,
  perClass: [{ label: 'bag', n: 400, accuracy: 0.9 }, { label: 'coat', n: 400, accuracy: 0.6 }],
  groups: [{ label: 'coat', n: 40, accuracy: 0.125, rank: 1, feature: 'present' }], worstGroup: { label: 'coat', accuracy: 0.125, rank: 1, feature: 'present' },
};
const plan: Plan = {
  kind: 'mitigate', device: { requested: 'auto', used: 'cpu', reason: 'nothing else' }, images: 1500, regions: 4, findings: [1, 3], trainable: { weights: 20, parameters: 2_000_000 }, batch: 128, microBatch: 64, stepsPerEpoch: 12,
  steps: 96, secondsPerStep: 1.5, memory: { bytes: 3 * 2 ** 30, budget: 8 * 2 ** 30 },
};
const machine: Machine = {
  node: '20.20.2', platform: 'linux', arch: 'x64', cores: 2, memory: { total: 4 * 2 ** 30, free: 2 ** 30 },
  devices: [{ name: 'cpu', works: true, reason: 'always', hint: '' }, { name: 'cuda', works: false, reason: 'no NVIDIA driver', hint: 'Install it.' }], auto: { device: 'cpu', reason: 'nothing else works' },
};

describe('Inspect Checkpoint', () => {
  it('shows what is in the target, or in the checkpoint of the config', async () => {
    const asked: unknown[] = [];
    world.api['inspect'] = async (params) => (asked.push(params), inspection);
    await world.command(commands.inspect, world.uri('models/clip'));
    await world.command(commands.inspect, world.uri('ravl.yaml'));
    expect(asked).toEqual([{ checkpoint: 'clip', baseDir: world.path('models') }, { checkpoint: 'clip', baseDir: world.root }]);
    const text = await document();
    for (const fact of ['1,234,567 parameters', '49,408 tokens', '224 × 224', '352,000,000', 'abcdef012345', 'CLIP’s own']) expect(text).toContain(fact);
  });

  it('says what is wrong with the checkpoint', async () => {
    world.api['inspect'] = () => Promise.reject(new RavlError('checkpoint-missing', 'There is no clip.', 'Check the path.'));
    await world.command(commands.inspect, world.uri('clip'));
    expect(world.messages()).toEqual([['error', 'There is no clip. Check the path.', 'Show Log']]);
    expect(fake.executed.map(({ command }) => command)).not.toContain('markdown.showPreview');
  });
});

describe('Evaluate Checkpoint', () => {
  it('measures on the images of the config, in the groups of the newest analysis of them and of the checkpoint', async () => {
    world.run('other', { validation: 'other.csv' });
    world.run('made', { checkpoint: '.ravl/runs/t/checkpoint' });
    world.run('one');
    await world.begin(commands.evaluate, world.uri('ravl.yaml'));
    expect(world.workers.started[0]!.call).toMatchObject({ method: 'evaluate', params: { baseDir: world.root, run: 'one', config: { checkpoint: 'clip' } } });
    // The checkpoint is the config's, which may be a mapping.
    expect(world.workers.started[0]!.call!.params).not.toHaveProperty('named');
    world.workers.started[0]!.answer(evaluated);
    const text = await document();
    expect(text).toContain('Worst group: coat with finding 1, **12.5%**');
    expect(text.indexOf('| coat | 400 | 60.0% |')).toBeLessThan(text.indexOf('| bag | 400 | 90.0% |'));
  });

  it('measures another checkpoint by its path', async () => {
    await world.begin(commands.evaluate, world.uri('.ravl/runs/x/checkpoint'));
    expect(world.workers.started[0]!.call!.params).toMatchObject({ named: world.path('.ravl/runs/x/checkpoint') });
  });

  it('says that no config tells which images to measure on', async () => {
    fake.found.clear();
    fake.emitters.folders.fire(undefined);
    await settled();
    await world.command(commands.evaluate, world.uri('clip'));
    expect(world.messages()).toEqual([['error', 'No ravl.yaml says which images clip is to be evaluated on. Create one with RaVL: Create Config.', 'Show Log']]);
  });

  it('says once what went wrong', async () => {
    await world.begin(commands.evaluate, world.uri('ravl.yaml'));
    world.workers.started[0]!.fail(new RavlError('dataset-missing', 'There is no validation.csv.', ''));
    await world.rest();
    expect(world.messages()).toEqual([['error', 'There is no validation.csv.', 'Show Log']]);
  });
});

describe('Plan Fine-Tuning', () => {
  it('shows what it would take', async () => {
    await world.begin(commands.plan, world.uri('ravl.yaml'));
    world.workers.started[0]!.answer(plan);
    const text = await document();
    // 12 steps of 1.5 s; 96 of them.
    for (const fact of ['finding 1, 3', '1,500, 4 regions each', '128 images, 64 at a time', 'about 3.0 GiB of at most 8.0 GiB', '18s an epoch of 12 steps', '96 steps, 2m 24s']) expect(text).toContain(fact);
  });

  it('says once what went wrong, and offers the analysis that is missing', async () => {
    await world.begin(commands.plan, world.uri('ravl.yaml'));
    fake.clicks.push('Analyze');
    world.workers.started[0]!.fail(new RavlError('mitigation-no-discovery', 'There is no analysis to take findings from.', 'Analyze first.'));
    await world.rest();
    await settled();
    expect(world.messages()).toEqual([['error', 'There is no analysis to take findings from. Analyze first.', 'Analyze', 'Show Log']]);
    expect(world.workers.started[1]!.call).toMatchObject({ method: 'analyze', params: { config: { checkpoint: 'clip' }, baseDir: world.root, root: world.root } });
  });
});

describe('Doctor', () => {
  it('shows what this machine can run, and why not the rest', async () => {
    world.api['doctor'] = async () => machine;
    await world.command(commands.doctor);
    const text = await document();
    expect(text).toContain('| cuda | no | no NVIDIA driver<br>Install it\\. |');
    expect(text).toContain('4.0 GiB of memory, 1.0 GiB free');
  });

  it('says that it cannot look', async () => {
    world.api['doctor'] = () => Promise.reject(new RavlError('node-missing', 'No Node.js was found.', 'Install it.'));
    await world.command(commands.doctor);
    expect(world.messages()).toEqual([['error', 'No Node.js was found. Install it.', 'Show Log']]);
  });
});

describe('a document', () => {
  it('is shown as text where nothing renders Markdown, and says so after a restart', async () => {
    fake.builtIn.delete('markdown.showPreview');
    world.api['doctor'] = async () => machine;
    await world.command(commands.doctor);
    expect(window.activeTextEditor!.document.uri.toString()).toMatch(/^ravl:\/Doctor\.md$/);
    expect(window.activeTextEditor!.document.getText()).toContain('20\\.20\\.2');
    expect(await fake.contentProviders.get('ravl')!.provideTextDocumentContent(Uri.parse('ravl:/Evaluation.md'))).toBe('This was made in an earlier session. Run the command again to see it.');
  });

  it('shows hostile names as text, in one cell of one line', async () => {
    const hostile = '<img src=x onerror=alert(1)> | [x](command:y) \n# **b** `c` \u202e</script>&amp;';
    world.api['inspect'] = async () => ({ ...inspection, name: hostile, files: [{ role: hostile, path: 'x'.repeat(1_000_000), bytes: 1, sha256: 'a' }], notes: [hostile] });
    await world.command(commands.inspect, world.uri('clip'));
    const text = await document();
    expect(text.length).toBeLessThan(5000);
    // Nothing is left that means something in Markdown or HTML: neither tag, nor link, nor cell, nor emphasis.
    for (const line of text.split('\n').filter((each) => each.includes('onerror'))) {
      const bare = line.replace(/\\./g, '').replace(/^(# |- |\| )|\|/g, '');
      expect(bare).not.toMatch(/[<>[\]`*|#]/);
    }
    expect(text.split('\n').filter((each) => each.startsWith('| \\') || each.startsWith('| &lt;'))).toHaveLength(1);
    expect(text).not.toContain('\u202e');
  });
});
