import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { readSettings } from '../../../src/extension/settings';
import { fake } from '../../fixtures/fakeVscode';

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { contributes: { configuration: { properties: Record<string, { default: unknown }> } } };

describe('settings', () => {
  beforeEach(() => fake.reset());

  it('are the defaults of package.json while nothing is set', () => {
    const defaults = Object.entries(manifest.contributes.configuration.properties).map(([name, { default: preset }]) => [name.replace('ravl.', ''), preset]);
    expect(readSettings()).toEqual(Object.fromEntries(defaults));
  });

  it('are what was set', () => {
    const set = { nodePath: '/opt/node', device: 'cuda', memoryBudget: 2048, cacheSize: 0, problems: false, parallelRuns: 3 };
    for (const [name, value] of Object.entries(set)) fake.settings.set(`ravl.${name}`, value);
    expect(readSettings()).toEqual(set);
  });

  it('fall back to the default where settings.json holds something else', () => {
    for (const name of ['nodePath', 'device', 'memoryBudget', 'cacheSize', 'problems', 'parallelRuns']) fake.settings.set(`ravl.${name}`, { no: 1 });
    expect(readSettings()).toEqual({ nodePath: '', device: 'auto', memoryBudget: null, cacheSize: 512, problems: true, parallelRuns: 1 });
    fake.settings.set('ravl.device', 'gpu');
    fake.settings.set('ravl.memoryBudget', -1);
    fake.settings.set('ravl.parallelRuns', 0);
    expect(readSettings()).toMatchObject({ device: 'auto', memoryBudget: null, parallelRuns: 1 });
  });
});
