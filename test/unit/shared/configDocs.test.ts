import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Config, configSchema } from '../../../src/shared/config';
import { configKeys, exampleConfig, generatedFiles } from '../../../src/shared/configDocs';
import { parseConfig } from '../../../src/shared/configFile';
import { configJsonSchema } from '../../../src/shared/jsonSchema';
import { nearest } from '../../../src/shared/nearest';

const root = join(import.meta.dirname, '../../..');
const minimal = { checkpoint: 'clip', data: { validation: 'v.csv' } };

function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);
}

describe('generated files', () => {
  it.each(Object.entries(generatedFiles()))('%s is as the schema says (npm run generate)', (path, content) => {
    expect(readFileSync(join(root, path), 'utf8')).toBe(content);
  });

  it('document every default as the parser fills it in', () => {
    const kinds: readonly object[] = [{ kind: 'grid' }, { kind: 'boxes' }, { kind: 'sliding' }, { kind: 'proposals', model: 'd.onnx' }];
    const parsed = new Map(kinds.map((regions) => [(regions as { kind: string }).kind, configSchema.parse({ ...minimal, regions })]));
    const documented = configKeys().filter((key) => key.default !== undefined && JSON.stringify(key.default) !== '{}' && key.path !== 'regions');
    expect(documented.length).toBeGreaterThan(20);
    for (const key of documented) {
      const config = parsed.get(key.when?.values[0] ?? 'grid') as Config;
      expect([key.path, at(config, key.path)]).toEqual([key.path, key.default]);
    }
  });

  it('document every key that the parser fills in', () => {
    const leaves = (value: unknown, path: string): string[] =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key))
        : [path];
    const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8');
    for (const path of leaves(configSchema.parse(minimal), '')) expect(page).toContain(`| \`${path}\` |`);
  });

  it('have a row of four cells for each key, none twice', () => {
    const rows = generatedFiles()['docs/configuration.md']!.split('\n').filter((line) => line.startsWith('| `'));
    for (const row of rows) expect(row.match(/(?<!\\)\|/g)).toHaveLength(5);
    const keys = rows.map((row) => row.split('|')[1]);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('the JSON schema', () => {
  // zod reads the schema back: what an editor accepts must be what the parser accepts.
  const json = z.fromJSONSchema(configJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);

  it.each<[string, string]>([
    ['example', exampleConfig],
    ['minimal', JSON.stringify(minimal)],
    ['files', 'checkpoint: { vision: v.onnx, text: t.onnx }\ndata: { validation: v.csv }'],
    ['sliding', 'checkpoint: c\ndata: { validation: v }\nregions: { kind: sliding, scales: [0.3, 1] }'],
    ['proposals', 'checkpoint: c\ndata: { validation: v }\nregions: { kind: proposals, model: d.onnx, topK: 5 }'],
  ])('accepts what the parser accepts: %s', (_, text) => {
    const { config, document } = parseConfig(text, 'f');
    expect(config).toBeDefined();
    expect(json.safeParse(document.toJS()).error).toBeUndefined();
  });

  it.each([
    { ...minimal, seed: -1 },
    { ...minimal, unknown: 1 },
    { ...minimal, regions: { kind: 'grid', rows: 65 } },
    { ...minimal, device: 'gpu' },
    { ...minimal, prompts: [] },
    { checkpoint: 'c' },
  ])('refuses what the parser refuses: %j', (value) => {
    expect(configSchema.safeParse(value).success).toBe(false);
    expect(json.safeParse(value).success).toBe(false);
  });

  it('keeps descriptions and names its dialect', () => {
    const schema = configJsonSchema();
    expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
    expect(schema.properties?.['device']?.description).toMatch(/inference/);
    expect(JSON.stringify(schema)).not.toContain(String(Number.MAX_SAFE_INTEGER));
  });
});

describe('nearest', () => {
  it.each([
    ['validaton', 'validation'],
    ['lables', 'labels'],
    ['Image_Path', 'imagePath'],
    ['promtps', 'prompts'],
    ['zebra', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ])('%s', (word, expected) => {
    expect(nearest(word, ['validation', 'labels', 'imagePath', 'prompts'])).toBe(expected);
  });
});
