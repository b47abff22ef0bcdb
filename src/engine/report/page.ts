import type { Finding, Findings } from '../../shared/findings';
import { barAxis, singleBar } from './bars';
import { clusterTable, findingCard, foldedCard } from './card';
import { count, counted, decimal, listed, percent, probability, seconds } from '../../shared/format';
import { accuracyInWords, headline, nameOf, shown } from '../../shared/words';
import { cardsOf, type Thumbnails } from './gallery';
import { html, type Html, type Part } from './html';
import { pageShell } from './shell';
import { explanation } from './words';

/** What the report says about the run itself. */
export interface ReportRun {
  readonly id: string;
  readonly checkpoint: string;
  readonly data: string;
  /** How images were cut and regions embedded, e.g. `2 × 2 grid`, `roi-align on /layer3`. */
  readonly regions: string;
  readonly embedding: string;
  /** The device that ran, and why. */
  readonly device: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Seconds a phase. */
  readonly timings: Readonly<Record<string, number>>;
  readonly rules: { readonly alpha: number; readonly minInfluence: number; readonly minSupport: number };
  /** Sentences a reader must know: images skipped, fallbacks taken. */
  readonly notes: readonly string[];
}

const tableLimit = 500;

/**
 * The report of a discovery run as one self-contained HTML page, all data as escaped text.
 */
export function renderReport(findings: Findings, run: ReportRun, thumbnails: Thumbnails): string {
  let asked = 0;
  let shownPictures = 0;
  const counting: Thumbnails = (image, box) => {
    const picture = thumbnails(image, box);
    asked++;
    if (picture) shownPictures++;
    return picture;
  };
  const { flagged, survivors } = cardsOf(findings);
  const carded = new Set<Finding>([...flagged, ...survivors]);
  const others = findings.findings.filter((finding) => !carded.has(finding));
  const cards = flagged.map((finding) => findingCard(finding, findings.images, counting));
  const folded = survivors.map((finding) => foldedCard(finding, findings.images, counting));

  const body = html`<header class="top">
<p class="kicker">RaVL · ${shown(run.checkpoint, 80)} on ${shown(run.data, 80)}</p>
<h1>${headline(findings.findings)}</h1>
<p class="lead">${explanation(findings)}</p>
<p>${accuracyInWords(findings)} <a href="#reading">How to read this page</a></p>
${figures(findings)}
${run.notes.length > 0 && html`<ul class="notes">${run.notes.slice(0, 20).map((note) => html`<li>${shown(note, 300)}</li>`)}</ul>`}
${flagged.length > 1 && contents(flagged)}
</header>
<main>
${cards.length > 0 && html`<section aria-labelledby="findings"><h2 id="findings">Features that mislead</h2>${legend}${cards}</section>`}
${folded.length > 0 && html`<section aria-labelledby="survivors"><h2 id="survivors">Differences that chance could explain</h2><p class="muted">These pass the rules of the method, but not the test for significance or the minimum support. Look, but do not act on one alone.</p>${folded}</section>`}
${accuracySection(findings)}
${others.length > 0 && prunedSection(others)}
${readingSection(findings, run)}
</main>
${footer(findings, run, asked, shownPictures)}`;
  return pageShell(headline(findings.findings), body);
}

const legend = html`<p class="legend"><span class="key present" aria-hidden="true"></span> solid bar, round mark: accuracy on images with the feature. <span class="key absent" aria-hidden="true"></span> hatched bar, diamond: on images of the same class without it. Whiskers: 95% interval. Bold gaps: the interval leaves out zero.</p>`;

function contents(flagged: readonly Finding[]): Html {
  const items = flagged.map((finding) => html`<li value="${finding.rank}"><a href="#cluster-${finding.cluster}"><bdi>${nameOf(finding)}</bdi></a> <span class="muted">${finding.attribute !== null && html`pulls towards <bdi>${shown(finding.attribute)}</bdi>, `}G<sub>c</sub> ${decimal(finding.gap, 2)}, q ${probability(finding.qValue)}</span></li>`);
  return html`<nav aria-label="Findings"><ol>${items}</ol></nav>`;
}

function figures({ accuracy, images, clusters, regions, classes }: Findings): Html {
  const largest = Math.max(0, ...accuracy.perClass.map((row) => row.n));
  return html`<dl class="figures">
<div><dt>Overall</dt><dd>${percent(accuracy.overall)}</dd></div>
<div><dt>Weakest class</dt><dd>${percent(accuracy.worstClass.accuracy)} <span class="muted"><bdi>${shown(accuracy.worstClass.label)}</bdi></span></dd></div>
<div><dt>Always the largest class</dt><dd>${percent(images > 0 ? largest / images : null)}</dd></div>
<div><dt>Guessing</dt><dd>${percent(classes.length > 0 ? 1 / classes.length : null)}</dd></div>
<div><dt>Images, regions</dt><dd>${count(images)}, ${count(regions)}</dd></div>
<div><dt>Clusters k</dt><dd>${count(clusters.k)} <span class="muted">silhouette ${decimal(clusters.silhouette)}</span></dd></div>
</dl>`;
}

function accuracySection({ accuracy, images }: Findings): Html {
  const order = [...accuracy.perClass].sort((a, b) => a.accuracy - b.accuracy || b.n - a.n);
  const rows = order
    .slice(0, tableLimit)
    .map(
      (row) =>
        html`<tr><th scope="row"><bdi>${shown(row.label)}</bdi></th><td>${singleBar({ n: row.n, share: row.n > 0 ? row.accuracy : null })}</td><td class="number">${percent(row.accuracy)}</td><td class="number muted">${count(row.n)}</td><td class="number muted">${percent(images > 0 ? row.n / images : null)}</td></tr>`,
    );
  return html`<section aria-labelledby="accuracy"><h2 id="accuracy">Accuracy and base rate of each class</h2>
<div class="scroll"><table><thead><tr><th scope="col">Class, weakest first</th><th scope="col">${barAxis()}</th><th class="number" scope="col">Accuracy</th><th class="number" scope="col">n</th><th class="number" scope="col">Share of images</th></tr></thead><tbody>${rows}</tbody></table></div>
${order.length > tableLimit && html`<p class="muted">${counted(order.length - tableLimit, 'class', 'classes')} more in findings.json.</p>`}</section>`;
}

function prunedSection(others: readonly Finding[]): Html {
  return html`<section aria-labelledby="pruned"><h2 id="pruned">Other clusters</h2><details><summary>${counted(others.length, 'cluster')} without a card, and why</summary>${clusterTable(others.slice(0, tableLimit))}${others.length > tableLimit && html`<p class="muted">${count(others.length - tableLimit)} more in findings.json.</p>`}</details></section>`;
}

function readingSection(findings: Findings, { rules }: ReportRun): Html {
  return html`<section aria-labelledby="reading" class="reading"><h2 id="reading">How to read this page</h2>
<p>Every image was cut into regions, the regions were grouped by how similar they look to the model itself, and each group, a <em>feature</em>, was compared class by class: is the model more often right when the feature is in the image, or when it is not? A feature that makes one class easier and another harder is one that the model leans on in the place of the object.</p>
<ul>
<li><b>Gap G<sub>c</sub></b>: the sum over classes of the difference in accuracy with and without the feature, each weighted by how balanced its two sides are. Features are ranked by it. It is never negative, so noise alone gives more than 0; read it together with q.</li>
<li><b>Influence H<sub>c</sub></b>: of the errors that the feature could explain, the share in which it is the very region that speaks most for the wrong class. Below ${rules.minInfluence} a cluster is out.</li>
<li><b>q-value</b>: the share of false alarms to expect if everything with a q this small is believed (permutation test, Benjamini-Hochberg over all clusters tested). Flagged means q below ${rules.alpha} and at least ${counted(rules.minSupport, 'image')} of a class on both sides.</li>
<li><b>Intervals</b> are 95%: Wilson for a bar, Newcombe for a gap, a bootstrap over images for G<sub>c</sub>. They are not widened for the ${count(findings.findings.length)} clusters × ${counted(findings.classes.length, 'class', 'classes')} looked at; q is. A bar over few images says little, however long it is.</li>
</ul>
<p><b>What this page cannot tell.</b> A difference goes along with a feature; that the feature causes it is a guess, which the pictures may support or spoil. The name in words comes from the model's own text encoder and inherits its confusions: trust the pictures over the words. The feature may stand for something outside the outlined region (a photographer, a background, a kind of product). Labels in the data may themselves be wrong. Look at the counter-examples before you act.</p></section>`;
}

function footer(findings: Findings, run: ReportRun, asked: number, given: number): Html {
  const facts: [string, Part][] = [
    ['Checkpoint', shown(run.checkpoint, 200)],
    ['Data', shown(run.data, 200)],
    ['Regions', shown(run.regions, 200)],
    ['Embedding', shown(run.embedding, 200)],
    ['Clustering', shown(findings.clusters.method, 200)],
    ['Device', shown(run.device, 200)],
    ['Seed', findings.seed],
    ['Time', listed(Object.entries(run.timings).map(([phase, time]) => `${shown(phase, 40)} ${seconds(time)}`))],
    ['Versions', listed(Object.entries(run.versions).map(([name, version]) => `${shown(name, 40)} ${shown(version, 40)}`))],
    ['Pictures', asked === given ? `all ${count(asked)} shown` : `${count(given)} of ${count(asked)} shown; the others could not be read or would have made the page too large`],
    ['Run', shown(run.id, 80)],
  ];
  return html`<footer><h2>This run</h2><dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl><p class="muted">All numbers: <a href="findings.json">findings.json</a>. All regions: <a href="regions.arrow">regions.arrow</a> (pandas.read_feather). Method: Varma et al., “RaVL: Discovering and Mitigating Spurious Correlations in Fine-Tuned Vision-Language Models”, NeurIPS 2024.</p></footer>`;
}
