import type { Box } from '../../shared/boxes';
import type { Finding, Findings } from '../../shared/findings';
import { count } from '../../shared/format';
import { shown } from '../../shared/words';
import { html, type Html } from './html';

/** The picture of an image with a region outlined (or whole, for null) as a data URI; undefined where there is none. */
export type Thumbnails = (image: string, box: Box | null) => string | undefined;

export interface Picture {
  readonly image: string;
  readonly box: Box | null;
  readonly label: string;
  readonly predicted: string;
  readonly similarity?: number;
}

export interface Gallery {
  readonly regions: readonly Picture[];
  readonly presentRight: readonly Picture[];
  readonly absentWrong: readonly Picture[];
}

/** Findings with a card of their own; what is beyond them stands in the table. */
export const cardLimit = { flagged: 40, survivors: 20 } as const;

/** What the report shows of a finding: more of the flagged ones. */
export function galleryOf(finding: Finding): Gallery {
  const [regions, examples] = finding.flagged ? [16, 8] : [8, 0];
  const whole = (images: Finding['counterExamples']['presentRight']) => images.slice(0, examples).map((image) => ({ ...image, box: null }));
  return {
    regions: finding.regions.slice(0, regions),
    presentRight: whole(finding.counterExamples.presentRight),
    absentWrong: whole(finding.counterExamples.absentWrong),
  };
}

/** The findings that get a card: flagged ones, then other survivors. */
export function cardsOf(findings: Findings): { flagged: Finding[]; survivors: Finding[] } {
  return {
    flagged: findings.findings.filter((finding) => finding.flagged).slice(0, cardLimit.flagged),
    survivors: findings.findings.filter((finding) => !finding.flagged && finding.rank !== null).slice(0, cardLimit.survivors),
  };
}

/** Every picture the report asks for, the most telling first: make these into thumbnails. */
export function picturesOf(findings: Findings): Picture[] {
  const { flagged, survivors } = cardsOf(findings);
  const galleries = [...flagged, ...survivors].map(galleryOf);
  return [...galleries.flatMap((gallery) => gallery.regions), ...galleries.flatMap((gallery) => [...gallery.presentRight, ...gallery.absentWrong])];
}

/** A row of pictures under a title; nothing for none. `total` says how many there are in all, where that is known. */
export function pictureRow(title: string, pictures: readonly Picture[], total: number | null, thumbnails: Thumbnails): Html | null {
  if (pictures.length === 0) return null;
  const extent = total !== null && total > pictures.length ? `${pictures.length} of ${count(total)}` : count(pictures.length);
  return html`<section class="gallery"><h4>${title} <span class="muted">${extent}</span></h4><ul>${pictures.map((picture) => html`<li>${figure(picture, thumbnails)}</li>`)}</ul></section>`;
}

function figure(picture: Picture, thumbnails: Thumbnails): Html {
  const label = shown(picture.label, 40);
  const predicted = shown(picture.predicted, 40);
  const path = shown(picture.image, 120);
  const right = picture.label === picture.predicted;
  const alt = `${label}, ${right ? 'predicted right' : `predicted ${predicted}`}${picture.box ? ', region outlined' : ''} (${path})`;
  const title = picture.similarity === undefined ? path : `${path}, similarity ${picture.similarity.toFixed(3)}`;
  const source = thumbnails(picture.image, picture.box);
  const image = source ? html`<img src="${source}" alt="${alt}">` : html`<div class="no-picture" role="img" aria-label="${alt}">no picture</div>`;
  const verdict = right
    ? html`<span class="right"><span aria-hidden="true">✓</span> <bdi>${label}</bdi></span>`
    : html`<bdi>${label}</bdi><br><span class="wrong"><span aria-hidden="true">✗</span> <bdi>${predicted}</bdi></span>`;
  return html`<figure title="${title}">${image}<figcaption>${verdict}</figcaption></figure>`;
}
