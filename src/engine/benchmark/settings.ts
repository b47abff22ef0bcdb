/** The settings of a benchmark, group by group: those that differ in their seed alone are valid together or not at all. */
import type { Report } from '../../shared/progress';
import { deleteImages, detectionStage, keptDetection, keptStages, mitigationStage, type Detected, type MitigationResult, type Stage } from './stages';
import { bySeeds, type Setting } from './suites';
import { thresholds, validAt } from './tables';

export interface Outcome {
  readonly detected: readonly Detected[];
  /** Of the valid settings. */
  readonly mitigated: readonly MitigationResult[];
}

/**
 * Runs settings, or goes on with them. Told on the way: progress, and what all will take, as soon as a setting has been through both
 * discovery and mitigation. Throws what stages throw.
 */
export async function runSettings(stage: Stage, settings: readonly Setting[], skipMitigation: boolean, report: Report): Promise<Outcome> {
  const [detected, mitigated]: [Detected[], MitigationResult[]] = [[], []];
  const pace = paceOf(stage, settings, skipMitigation, report);
  for (const group of bySeeds(settings)) {
    const outcome = await runGroup(stage, group, skipMitigation, pace);
    detected.push(...outcome.detected);
    mitigated.push(...outcome.mitigated);
    report({ type: 'progress', phase: 'benchmark', done: detected.length, total: settings.length, unit: 'settings' });
  }
  return { detected, mitigated };
}

/** Discovery for every setting of a group, then mitigation where all are valid. */
export async function runGroup(stage: Stage, group: readonly Setting[], skipMitigation: boolean, pace: Pace = unmeasured): Promise<Outcome> {
  const detected: Detected[] = [];
  for (const setting of group) {
    const found = await pace.measure('discovery', setting, () => detectionStage(stage, setting));
    detected.push(found);
    // The first setting of all is measured through both, valid or not; what mitigation makes of it is kept for when it counts.
    if (pace.wanted()) await pace.measure('mitigation', setting, () => mitigationStage(stage, found));
  }
  const mitigated: MitigationResult[] = [];
  if (!skipMitigation) for (const each of validAt(detected, thresholds[0])) mitigated.push(...(await pace.measure('mitigation', each.setting, () => mitigationStage(stage, each))));
  for (const setting of group) await deleteImages(stage, setting);
  return { detected, mitigated };
}

/** Whether a group has nothing left to do. */
export async function isFinished(stage: Stage, group: readonly Setting[], skipMitigation: boolean): Promise<boolean> {
  const detected = (await Promise.all(group.map((setting) => keptDetection(stage, setting)))).filter((found) => found !== null);
  if (detected.length < group.length) return false;
  return skipMitigation || validAt(detected, thresholds[0]).every(({ setting }) => keptStages(stage, setting).mitigation === 'whole');
}

type Phase = 'discovery' | 'mitigation';

/** What is left of a benchmark, and what all of it takes by one setting that was measured. */
export interface Outlook {
  /** Of one setting; mitigation where it is wanted. */
  readonly seconds: { readonly discovery: number; readonly mitigation: number | null };
  /** Settings left. */
  readonly left: Readonly<Record<Phase, number>>;
  /** Settings in all. */
  readonly total: number;
  /** Settings that are worked on at once. */
  readonly atOnce: number;
}

/** In a sentence. */
export function outlookInWords({ seconds: { discovery, mitigation }, left, total, atOnce }: Outlook): string {
  const minutes = Math.ceil((left.discovery * discovery + left.mitigation * (mitigation ?? 0)) / atOnce / 60);
  const measured = `discovery took ${discovery.toFixed(0)} s${mitigation === null ? '' : ` and mitigation ${mitigation.toFixed(0)} s`}`;
  const bound = mitigation === null ? '' : ' at most (mitigation is for settings whose model learned the shortcut)';
  return `For one setting ${measured}, so what is left of ${total} takes about ${minutes} min${bound}. Stopped, the benchmark goes on where it was.`;
}

/** How many settings a phase is still to be run for. */
export const settingsLeft = (stage: Stage, settings: readonly Setting[], phase: Phase): number => settings.filter((setting) => keptStages(stage, setting)[phase] !== 'whole').length;

/** Measures stages of which nothing is kept yet. */
interface Pace {
  measure<T>(phase: Phase, setting: Setting, work: () => Promise<T>): Promise<T>;
  /** Whether mitigation is to be measured now. */
  wanted(): boolean;
}

/** Within one of many tasks nobody reads along. */
const unmeasured: Pace = { measure: (_, __, work) => work(), wanted: () => false };

function paceOf(stage: Stage, settings: readonly Setting[], skipMitigation: boolean, report: Report): Pace {
  const seconds: Partial<Record<Phase, number>> = {};
  let told = false;
  const tell = () => {
    if (told || seconds.discovery === undefined || (seconds.mitigation === undefined && !skipMitigation)) return;
    told = true;
    const left = { discovery: settingsLeft(stage, settings, 'discovery'), mitigation: skipMitigation ? 0 : settingsLeft(stage, settings, 'mitigation') };
    if (left.discovery + left.mitigation === 0) return;
    const measured = { discovery: seconds.discovery, mitigation: skipMitigation ? null : seconds.mitigation! };
    report({ type: 'note', level: 'info', text: outlookInWords({ seconds: measured, left, total: settings.length, atOnce: 1 }) });
  };
  return {
    wanted: () => !skipMitigation && seconds.discovery !== undefined && seconds.mitigation === undefined,
    async measure(phase, setting, work) {
      if (seconds[phase] !== undefined || keptStages(stage, setting)[phase] !== 'none') return work();
      const from = performance.now();
      const value = await work();
      seconds[phase] = (performance.now() - from) / 1000;
      tell();
      return value;
    },
  };
}
