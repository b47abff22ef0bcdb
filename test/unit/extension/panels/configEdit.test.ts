import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { withSetting, withTrainComment } from '../../../../src/extension/panels/configEdit';

const findings = ['mitigation', 'findings'] as const;

describe('a changed config', () => {
  it('gets a new section at its end, and every other byte stays', () => {
    const text = '# mine\ncheckpoint:   clip   # the old one\nregions: { kind: grid,  rows: 2 }\n';
    expect(withSetting(text, findings, [2])).toBe(`${text}\nmitigation:\n  findings: [2]\n`);
  });

  it('keeps its line breaks', () => {
    expect(withSetting('checkpoint: a', findings, [1])).toBe('checkpoint: a\n\nmitigation:\n  findings: [1]\n');
    expect(withSetting('checkpoint: a\r\nseed: 1\r\n', findings, [1])).toBe('checkpoint: a\r\nseed: 1\r\n\r\nmitigation:\r\n  findings: [1]\r\n');
  });

  it('gets the key at the head of a section that is there, indented alike', () => {
    expect(withSetting('mitigation:\n    # more\n    lambda: 0.5 # half\nseed: 1\n', findings, [3])).toBe('mitigation:\n    # more\n    findings: [3]\n    lambda: 0.5 # half\nseed: 1\n');
    expect(withSetting('mitigation: { lambda: 0.5 }\n', findings, [3])).toBe('mitigation: { findings: [3], lambda: 0.5 }\n');
    expect(withSetting('mitigation:\nseed: 1\n', findings, [3])).toBe('mitigation:\n  findings: [3]\nseed: 1\n');
  });

  it('gets the new value in the place of an old one', () => {
    expect(withSetting('mitigation:\n  findings: [1, 2] # both\n  lambda: 0.5\n', findings, [3])).toBe('mitigation:\n  findings: [3] # both\n  lambda: 0.5\n');
    expect(withSetting('mitigation: {findings: [1], lambda: 1}', findings, [3])).toBe('mitigation: {findings: [3], lambda: 1}');
    expect(parse(withSetting('mitigation:\n  findings:\n    - 1\n    - 2\n  lambda: 0.5\n', findings, [3])!)).toEqual({ mitigation: { findings: [3], lambda: 0.5 } });
    expect(withSetting('checkpoint: old # note\nseed: 1\n', ['checkpoint'], 'runs/new: "one"')).toBe('checkpoint: "runs/new: \\"one\\"" # note\nseed: 1\n');
  });

  it('is written anew with its comments where no line can be changed', () => {
    const result = withSetting('# head\n{ checkpoint: a, seed: 1 }\n', findings, [2])!;
    expect(parse(result)).toEqual({ checkpoint: 'a', seed: 1, mitigation: { findings: [2] } });
    expect(result).toContain('# head');
    expect(parse(withSetting('a: &x { lambda: 0.1 }\nmitigation: {}\n', findings, [2])!)).toEqual({ a: { lambda: 0.1 }, mitigation: { findings: [2] } });
  });

  it('is refused where the section is no mapping or the file no YAML', () => {
    expect(withSetting('mitigation: yes\n', findings, [1])).toBeNull();
    expect(withSetting('mitigation: [1, 2\n', findings, [1])).toBeNull();
  });

  it('shows where training images go, once, and only where none are named', () => {
    const text = 'data:\n  validation: v.csv # labelled\nseed: 1\n';
    const commented = withTrainComment(text);
    expect(commented).toBe('data:\n  validation: v.csv # labelled\n  # train: train.csv  (image-caption pairs, which fine-tuning needs)\nseed: 1\n');
    expect(withTrainComment(commented)).toBe(commented);
    expect(withTrainComment('data:\n  validation: v.csv\n  train: t.csv\n')).toBe('data:\n  validation: v.csv\n  train: t.csv\n');
    expect(withTrainComment('data: { validation: v.csv }\n')).toBe('data: { validation: v.csv }\n');
  });
});
