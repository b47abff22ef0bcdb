/** The results of a benchmark as tables in the paper's shape (its tables 1 and 2): by method, with 95% intervals over the settings. */
import { detectionMethods } from './detection/methods';
import { mitigationMethods } from './mitigation/methods';
import type { Detected, MitigationResult } from './stages';
import { bySeeds, type Setting } from './suites';

/** Points that eps1 and eps2 must both reach, in all seeds, for a setting to count. */
export const thresholds = [10, 20, 30, 40] as const;

/** The mean of a sample, and its 95% interval by Student's t; null where there are fewer than 2. */
export interface Mean {
  readonly n: number;
  readonly mean: number | null;
  readonly interval: readonly [number, number] | null;
}

export interface DetectionRow {
  readonly method: string;
  readonly name: string;
  /** Precision@10 by threshold, over the valid settings. */
  readonly precision: readonly Mean[];
}

export interface MitigationRow {
  readonly method: string;
  readonly name: string;
  readonly imageOverall: Mean;
  readonly imageWorst: Mean;
  readonly regionOverall: Mean;
  readonly regionWorst: Mean;
  /** Worst-group image accuracy less that of standard fine-tuning, setting by setting. */
  readonly gain: Mean;
  /** Settings in which its training diverged; it has 0 there. */
  readonly diverged: number;
  readonly seconds: Mean;
}

export interface Tables {
  /** Valid settings by threshold, of all those that were run. */
  readonly valid: readonly { readonly threshold: number; readonly settings: number }[];
  readonly settings: number;
  readonly detection: readonly DetectionRow[];
  readonly mitigation: readonly MitigationRow[];
  /** RaVL's Precision@10 over that of the best rival (its ablations are none), at the lowest threshold. */
  readonly lead: { readonly rival: string; readonly ratio: number | null } | null;
  /** Seconds a stage takes, mean over the settings. */
  readonly cost: readonly { readonly stage: string; readonly seconds: Mean }[];
}

export function tablesOf(detected: readonly Detected[], mitigated: readonly MitigationResult[]): Tables {
  const valid = thresholds.map((threshold) => validAt(detected, threshold));
  const detection = detectionMethods.map(({ id, name }) => ({ method: id, name, precision: valid.map((those) => shareOf(those.map(({ precision }) => precision[id]!))) }));
  const standard = new Map(mitigated.filter(({ method }) => method === 'standard').map(({ setting, image }) => [keyOf(setting), image.worstGroup]));
  const mitigation = mitigationMethods.map(({ id, name }) => {
    const rows = mitigated.filter(({ method }) => method === id);
    return {
      method: id,
      name,
      imageOverall: shareOf(rows.map(({ image }) => image.overall)),
      imageWorst: shareOf(rows.map(({ image }) => image.worstGroup)),
      regionOverall: shareOf(rows.map(({ region }) => region.overall)),
      regionWorst: shareOf(rows.map(({ region }) => region.worstGroup)),
      gain: meanOf(rows.flatMap(({ setting, image }) => (standard.has(keyOf(setting)) ? [image.worstGroup - standard.get(keyOf(setting))!] : []))),
      diverged: rows.filter(({ diverged }) => diverged).length,
      seconds: meanOf(rows.map(({ seconds }) => seconds)),
    };
  });
  const steps = [...new Set(detected.flatMap(({ seconds }) => Object.keys(seconds)))];
  return {
    valid: thresholds.map((threshold, i) => ({ threshold, settings: valid[i]!.length })),
    settings: detected.length,
    detection,
    mitigation: mitigated.length > 0 ? mitigation : [],
    lead: leadOf(detection),
    cost: steps.map((stage) => ({ stage, seconds: meanOf(detected.flatMap(({ seconds }) => (stage in seconds ? [seconds[stage]!] : []))) })),
  };
}

/** The settings whose model learned the shortcut by so many points, in all seeds (paper, section 4.1). */
export function validAt(detected: readonly Detected[], threshold: number): Detected[] {
  const found = new Map(detected.map((each) => [keyOf(each.setting), each]));
  return bySeeds(detected.map(({ setting }) => setting)).flatMap((seeds) => {
    const all = seeds.map((setting) => found.get(keyOf(setting))!);
    return all.every(({ eps1, eps2 }) => eps1 >= threshold && eps2 >= threshold) ? all : [];
  });
}

/** The mean of shares; its interval ends where no share can be. */
export function shareOf(values: readonly number[]): Mean {
  const { n, mean, interval } = meanOf(values);
  return { n, mean, interval: interval && [Math.max(0, interval[0]), Math.min(1, interval[1])] };
}

export function meanOf(values: readonly number[]): Mean {
  const n = values.length;
  if (n === 0) return { n, mean: null, interval: null };
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { n, mean, interval: null };
  const error = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1) / n);
  const reach = studentT(n - 1) * error;
  return { n, mean, interval: [mean - reach, mean + reach] };
}

/**
 * The 97.5% quantile of Student's t: exact for 1 and 2 degrees of freedom, else the expansion of Cornish and Fisher in the normal
 * quantile (Abramowitz and Stegun, 26.7.5); within 0.01 from 3 on.
 */
export function studentT(freedom: number): number {
  if (freedom === 1) return 12.706;
  if (freedom === 2) return 4.303;
  const z = 1.959964;
  const terms = [(z ** 3 + z) / 4, (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96, (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384, (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160];
  return z + terms.reduce((sum, term, i) => sum + term / freedom ** (i + 1), 0);
}

function leadOf(detection: readonly DetectionRow[]): Tables['lead'] {
  const at = (method: string) => detection.find((row) => row.method === method)?.precision[0]?.mean ?? null;
  const own = at('ravl');
  const rivals = detection.filter(({ method }) => !method.startsWith('ravl')).flatMap(({ method, name }) => (at(method) === null ? [] : [{ name, mean: at(method)! }]));
  if (own === null || rivals.length === 0) return null;
  const best = rivals.reduce((a, b) => (b.mean > a.mean ? b : a));
  return { rival: best.name, ratio: best.mean > 0 ? own / best.mean : null };
}

const keyOf = (setting: Setting) => JSON.stringify(setting);
