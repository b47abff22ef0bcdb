import type { ClassRow, Finding } from '../../shared/findings';
import { barAxis, pairedBars } from './bars';
import { count, counted, decimal, decimalInterval, percent, points, pointsInterval, probability } from '../../shared/format';
import { effect, nameOf, shown } from '../../shared/words';
import { galleryOf, pictureRow, type Thumbnails } from './gallery';
import { html, type Html } from './html';

/** Rows of a card's table at once, and in all: with a thousand classes the page would be nothing else. */
const classRows = { open: 8, all: 24 } as const;

/** The card of a flagged finding. */
export function findingCard(finding: Finding, images: number, thumbnails: Thumbnails): Html {
  return html`<article class="card" id="cluster-${finding.cluster}" aria-labelledby="name-${finding.cluster}">
<header><span class="rank" aria-label="Rank">${finding.rank ?? ''}</span><h3 id="name-${finding.cluster}"><bdi>${nameOf(finding)}</bdi></h3>${towards(finding)}</header>
${body(finding, images, thumbnails)}
</article>`;
}

/** A survivor that is not significant: its first line, and the card folded away. */
export function foldedCard(finding: Finding, images: number, thumbnails: Thumbnails): Html {
  return html`<details class="card" id="cluster-${finding.cluster}"><summary><span class="rank">${finding.rank ?? ''}</span> <bdi class="name">${nameOf(finding)}</bdi> <span class="muted">G<sub>c</sub> ${decimal(finding.gap, 2)} · q ${probability(finding.qValue)} · ${counted(finding.support, 'image')}</span></summary>
<p class="muted">Not flagged: ${finding.reasons.map((reason) => shown(reason, 200)).join(' ')}</p>
${body(finding, images, thumbnails)}
</details>`;
}

/** One line a cluster, for those without a card. */
export function clusterTable(findings: readonly Finding[]): Html {
  const rows = findings.map(
    (finding) =>
      html`<tr><td class="number">${finding.cluster}</td><th scope="row"><bdi>${nameOf(finding)}</bdi></th><td class="number">${decimal(finding.gap, 2)}</td><td class="number">${decimal(finding.influence, 2)}</td><td class="number">${probability(finding.qValue)}</td><td class="number">${count(finding.support)}</td><td>${finding.reasons.map((reason) => shown(reason, 200)).join(' ')}</td></tr>`,
  );
  return html`<div class="scroll"><table><thead><tr><th class="number" scope="col">Cluster</th><th scope="col">In words</th><th class="number" scope="col">G<sub>c</sub></th><th class="number" scope="col">H<sub>c</sub></th><th class="number" scope="col">q</th><th class="number" scope="col">Images</th><th scope="col">Why it is out</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function body(finding: Finding, images: number, thumbnails: Thumbnails): Html {
  const gallery = galleryOf(finding);
  return html`<p>${effect(finding)}</p>
<dl class="figures">
<div><dt>Gap G<sub>c</sub></dt><dd>${decimal(finding.gap, 2)} <span class="muted">${decimalInterval(finding.gapInterval)}</span></dd></div>
<div><dt>Influence H<sub>c</sub></dt><dd>${decimal(finding.influence, 2)}</dd></div>
<div><dt>q-value</dt><dd>${probability(finding.qValue)}</dd></div>
<div><dt>Images with it</dt><dd>${count(finding.support)} <span class="muted">${percent(images > 0 ? finding.support / images : null)} of all</span></dd></div>
<div><dt>Regions</dt><dd>${count(finding.size)} <span class="muted">cluster ${finding.cluster}</span></dd></div>
</dl>
${pictureRow('Most typical regions', gallery.regions, finding.size, thumbnails)}
${classTable(finding.classes)}
${pictureRow('Counter-examples: of a class that loses by the feature, with it, and yet right', gallery.presentRight, null, thumbnails)}
${pictureRow('Counter-examples: of a class that loses by the feature, without it, and yet wrong', gallery.absentWrong, null, thumbnails)}`;
}

function classTable(classes: readonly ClassRow[]): Html {
  const order = [...classes].sort((a, b) => Math.abs(b.weighted) - Math.abs(a.weighted) || b.presentN - a.presentN);
  const folded = order.slice(classRows.open, classRows.all);
  const left = order.length - classRows.all;
  return html`${rowsTable(order.slice(0, classRows.open))}
${folded.length > 0 && html`<details class="more"><summary class="muted">${counted(folded.length, 'class', 'classes')} with smaller gaps</summary>${rowsTable(folded)}${left > 0 && html`<p class="muted">${counted(left, 'class', 'classes')} more in findings.json.</p>`}</details>`}`;
}

const rowsTable = (rows: readonly ClassRow[]) =>
  html`<div class="scroll"><table class="classes"><thead><tr><th scope="col">Class</th><th scope="col">${barAxis()}</th><th class="number" scope="col"><span class="key present" aria-hidden="true"></span>With it</th><th class="number" scope="col">n</th><th class="number" scope="col"><span class="key absent" aria-hidden="true"></span>Without</th><th class="number" scope="col">n</th><th class="number" scope="col">Gap, points</th><th class="number" scope="col">95% interval</th><th class="number" scope="col">Weighted</th></tr></thead><tbody>${rows.map(classRow)}</tbody></table></div>`;

function classRow(row: ClassRow): Html {
  const bars = pairedBars({ n: row.presentN, share: row.presentAcc }, { n: row.absentN, share: row.absentAcc });
  const sure = row.interval !== null && (row.interval[0] > 0 || row.interval[1] < 0);
  return html`<tr${sure && html` class="sure"`}><th scope="row"><bdi>${shown(row.label)}</bdi></th><td>${bars}</td><td class="number">${percent(row.presentAcc)}</td><td class="number muted">${count(row.presentN)}</td><td class="number">${percent(row.absentAcc)}</td><td class="number muted">${count(row.absentN)}</td><td class="number gap">${points(row.gap)}</td><td class="number muted">${pointsInterval(row.interval)}</td><td class="number muted">${decimal(row.weighted)}</td></tr>`;
}

const towards = (finding: Finding) => finding.attribute !== null && html`<span class="towards">pulls towards <b><bdi>${shown(finding.attribute)}</bdi></b></span>`;
