import type { Comparison, EpochMetrics, MetricsLine } from '../../shared/comparison';
import { changeHeadline, groupInWords, regressionsInWords, summaryInWords } from './comparisonWords';
import { classChangeTable, findingChangeCard, regressionTables } from './comparisonTables';
import { lineChart } from './curves';
import { flippedGalleries } from './flips';
import { count, counted, decimal, listed, percent, points, pointsInterval, seconds } from '../../shared/format';
import { shown } from '../../shared/words';
import type { Thumbnails } from './gallery';
import { html, type Html, type Part } from './html';
import { pageShell } from './shell';

/** What the page says about where the comparison comes from. */
export interface ComparisonRun {
  /** Id of the run; null where two checkpoints were compared outside of one. */
  readonly id: string | null;
  /** Both checkpoints and the data, as a person knows them. */
  readonly before: string;
  readonly after: string;
  readonly data: string;
  /** Whether these very images chose the epoch that was kept: its figures then lean to the good side. */
  readonly choseEpoch: boolean;
  readonly device: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Seconds a phase. */
  readonly timings: Readonly<Record<string, number>>;
  /** Further facts of the run by name: the method, the settings, why it ended. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Sentences a reader must know: images skipped, fallbacks taken. */
  readonly notes: readonly string[];
}

const findingLimit = 20;

/** The report of a comparison as one self-contained HTML page, all data as escaped text; without metrics it has no curves. */
export function renderComparison(comparison: Comparison, run: ComparisonRun, metrics: readonly MetricsLine[], thumbnails: Thumbnails): string {
  const headline = changeHeadline(comparison);
  const { findings, flipped, regressions } = comparison;
  const notes = [...run.notes, ...metrics.flatMap((line) => (line.type === 'epoch' && line.warning ? [`Epoch ${line.epoch}: ${line.warning}`] : []))];
  const more = findings.length - findingLimit;
  const body = html`<header class="top">
<p class="kicker">RaVL · ${shown(run.before, 80)} → ${shown(run.after, 80)} on ${shown(run.data, 80)}</p>
<h1>${headline}</h1>
<p class="lead">${summaryInWords(comparison).slice(headline.length).trim()}</p>
<p><a href="#reading">How to read this page</a></p>
${figures(comparison)}
${notes.length > 0 && html`<ul class="notes">${notes.slice(0, 20).map((note) => html`<li>${shown(note, 300)}</li>`)}</ul>`}
</header>
<main>
<section aria-labelledby="regressions"><h2 id="regressions">What got worse</h2><p>${regressionsInWords(comparison)}</p>${regressions.length > 0 && html`${legend}${regressionTables(comparison)}`}</section>
${findings.length > 0 && html`<section aria-labelledby="findings"><h2 id="findings">The features, before and after</h2>${findings.slice(0, findingLimit).map((finding) => findingChangeCard(finding, comparison.images))}${more > 0 && html`<p class="muted">${counted(more, 'feature')} more in comparison.json.</p>`}</section>`}
<section aria-labelledby="classes"><h2 id="classes">Every class</h2>${legend}${classChangeTable(comparison)}</section>
${curves(metrics)}
${flipped.rightToWrong.n + flipped.wrongToRight.n > 0 && html`<section aria-labelledby="flipped"><h2 id="flipped">Images that flipped</h2>${flippedGalleries(comparison, thumbnails)}</section>`}
${readingSection(comparison, run)}
</main>
${footer(comparison, run)}`;
  return pageShell(headline, body);
}

const legend = html`<p class="legend"><span class="key absent" aria-hidden="true"></span> hatched bar, diamond: accuracy before. <span class="key present" aria-hidden="true"></span> solid bar, round mark: after, on the same images. Whiskers: 95% interval. Bold changes: the interval of the change leaves out zero.</p>`;

function figures({ overall, worstGroup, worstClass, images, flipped, findings }: Comparison): Html {
  const change = (title: string, before: number, after: number, interval: readonly [number, number], note: string) =>
    html`<div><dt>${title}</dt><dd>${percent(before)} → ${percent(after)} <span class="muted">${points(after - before)} points (${pointsInterval(interval)})</span></dd>${note !== '' && html`<dd class="muted">${note}</dd>`}</div>`;
  return html`<dl class="figures">
${worstGroup && change('Weakest group', worstGroup.before.accuracy, worstGroup.after.accuracy, worstGroup.interval, `now ${groupInWords(worstGroup.after, findings)}, ${counted(worstGroup.after.n, 'image')}`)}
${change('Weakest class', worstClass.before.accuracy, worstClass.after.accuracy, worstClass.interval, `now “${shown(worstClass.after.label)}”, ${counted(worstClass.after.n, 'image')}`)}
${change('Overall', overall.before, overall.after, overall.interval, '')}
<div><dt>Became right, became wrong</dt><dd>${count(flipped.wrongToRight.n)}, ${count(flipped.rightToWrong.n)} <span class="muted">of ${counted(images, 'image')}</span></dd></div>
</dl>`;
}

function curves(metrics: readonly MetricsLine[]): Html | null {
  const steps = metrics.filter((line) => line.type === 'step');
  const epochs = metrics.filter((line) => line.type === 'epoch');
  const [last, best] = [epochs.at(-1), epochs.findLast((line) => line.best)];
  if (!last) return null;
  const grouped = epochs.some(({ worstGroup }) => worstGroup.feature !== null);
  const weakest = grouped ? 'weakest group' : 'weakest class';
  const hasRegionTerms = steps.some(({ region, alignment }) => region !== 0 || alignment !== 0);
  const loss = (name: string, of: (line: (typeof steps)[number]) => number) => ({ name, points: steps.map((line) => [line.step, of(line)] as const) });
  const kept = best ?? last;
  return html`<section aria-labelledby="curves"><h2 id="curves">How training went</h2>
<div class="charts">${lineChart({
    title: 'Accuracy on the validation images',
    label: `From epoch ${epochs[0]!.epoch} to ${last.epoch}, overall accuracy went from ${percent(epochs[0]!.overall)} to ${percent(last.overall)} and that of the ${weakest} from ${percent(epochs[0]!.worstGroup.accuracy)} to ${percent(last.worstGroup.accuracy)}.`,
    xName: 'epoch',
    top: 1,
    tickText: (y) => `${Math.round(y * 100)}%`,
    lines: [
      { name: 'overall', points: epochs.map(({ epoch, overall }) => [epoch, overall] as const), mark: 'circle' },
      { name: weakest, points: epochs.map(({ epoch, worstGroup }) => [epoch, worstGroup.accuracy] as const), mark: 'diamond' },
    ],
    ...(best ? { mark: { x: best.epoch, text: 'best' } } : {}),
  })}${lineChart({
    title: 'Training loss',
    label: `Over ${counted(steps.length, 'step')}, the loss went from ${decimal(steps[0]?.loss ?? null)} to ${decimal(steps.at(-1)?.loss ?? null)}.`,
    xName: 'step',
    tickText: (y) => String(y),
    lines: [
      loss('total', (line) => line.loss),
      ...(hasRegionTerms ? [loss('contrastive', (line) => line.contrastive), loss('region L_R', (line) => line.region), loss('alignment L_A', (line) => line.alignment)] : []),
    ],
  })}</div>
<p>Kept: epoch ${kept.epoch}, after ${counted(kept.step, 'step')}${best ? '' : ', the last one'}.</p>
<details><summary>${counted(epochs.length, 'validation')} in numbers</summary>${epochTable(epochs)}</details></section>`;
}

function epochTable(epochs: readonly EpochMetrics[]): Html {
  const rows = epochs.map(({ epoch, step, loss, overall, worstGroup: { label, feature, accuracy }, best }) => {
    const group = html`<bdi>${shown(label)}</bdi>${feature !== null && ` ${feature === 'present' ? 'with' : 'without'} the feature`}`;
    return html`<tr><td class="number">${epoch}</td><td class="number muted">${count(step)}</td><td class="number">${decimal(loss)}</td><td class="number">${percent(overall)}</td><td class="number">${percent(accuracy)}</td><td>${group}</td><td>${best && 'best so far'}</td></tr>`;
  });
  return html`<div class="scroll"><table><thead><tr><th class="number" scope="col">Epoch</th><th class="number" scope="col">Step</th><th class="number" scope="col">Validation loss</th><th class="number" scope="col">Overall</th><th class="number" scope="col">Weakest</th><th scope="col">Which</th><th scope="col"></th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function readingSection({ findings, perClass, minSupport, images, discovery }: Comparison, { choseEpoch }: ComparisonRun): Html {
  const chosen = choseEpoch
    ? 'The epoch that was kept was chosen on these very images, so the figures after training lean to the good side. Compare on labelled images that training never saw: ravl compare with --validation.'
    : 'Were these images used to choose the checkpoint or its settings, the figures after training lean to the good side; images that were kept apart tell more.';
  const another = discovery ? `Run ${shown(discovery.run, 80)} looked for one.` : 'Run the analysis on the new checkpoint to find out.';
  return html`<section aria-labelledby="reading" class="reading"><h2 id="reading">How to read this page</h2>
<p>Both checkpoints classified the same ${counted(images, 'image')} with the same prompts. A <em>group</em> is a class with a feature, or without it; its images are those that the analysis before training found, before and after alike.</p>
<ul>
<li><b>Weakest group</b>: the lowest accuracy among the groups of at least ${counted(minSupport, 'image')}. It need not be the same group before and after. Fine-tuning against a feature is meant to raise it; overall accuracy may fall a little in exchange.</li>
<li><b>Gap G<sub>c</sub></b>: how much the feature moves accuracy, summed over the classes. It is never negative, so noise alone leaves more than 0.</li>
<li><b>Change and interval</b>: what counts is the images that flipped, in either direction (Bonett and Price's interval for paired proportions; McNemar's exact p). For the weakest group, the weakest class and G<sub>c</sub> the interval is a bootstrap over images.</li>
<li><b>Bold is not proof</b>: intervals are 95% each and not widened for the ${counted(perClass.length, 'class', 'classes')}${findings.length > 0 && html` and ${counted(2 * findings.length * perClass.length, 'group')}`} looked at. Of 40 that did not change, one will look worse.</li>
</ul>
<p><b>What this page cannot tell.</b> ${chosen} It speaks of these classes and prompts; what the model knew beyond them may have faded unseen. A closed gap means that this feature, as it was found, no longer decides; the model may lean on another one now. ${another}</p></section>`;
}

function footer(comparison: Comparison, run: ComparisonRun): Html {
  const facts: [string, Part][] = [
    ['Before', shown(run.before, 200)],
    ['After', shown(run.after, 200)],
    ['Data', shown(run.data, 200)],
    ...run.facts.map(([name, value]): [string, Part] => [shown(name, 40), shown(value, 300)]),
    ['Device', shown(run.device, 200)],
    ['Seed', comparison.seed],
    ['Time', listed(Object.entries(run.timings).map(([phase, time]) => `${shown(phase, 40)} ${seconds(time)}`))],
    ['Versions', listed(Object.entries(run.versions).map(([name, version]) => `${shown(name, 40)} ${shown(version, 40)}`))],
    ['Run', run.id === null ? '' : shown(run.id, 80)],
  ];
  const given = facts.filter(([, value]) => value !== '');
  return html`<footer><h2>This comparison</h2><dl class="facts">${given.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl><p class="muted">All numbers: <a href="comparison.json">comparison.json</a>. Method: Varma et al., “RaVL: Discovering and Mitigating Spurious Correlations in Fine-Tuned Vision-Language Models”, NeurIPS 2024.</p></footer>`;
}
