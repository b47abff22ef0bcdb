import type { Comparison, FlippedImage } from '../../shared/comparison';
import { count } from '../../shared/format';
import { shown } from '../../shared/words';
import type { Thumbnails } from './gallery';
import { html, type Html } from './html';

/** Pictures of a kind of flip. */
const shownPictures = 32;

/** What the report shows of the flipped images: evenly spread over those that are listed. */
export function flippedPictures({ flipped }: Comparison): Record<keyof Comparison['flipped'], readonly FlippedImage[]> {
  return { rightToWrong: spread(flipped.rightToWrong.images), wrongToRight: spread(flipped.wrongToRight.images) };
}

/** The flipped images, those that became wrong first. */
export function flippedGalleries(comparison: Comparison, thumbnails: Thumbnails): Html {
  const { rightToWrong, wrongToRight } = flippedPictures(comparison);
  return html`${gallery('Right before, wrong now', rightToWrong, comparison.flipped.rightToWrong.n, thumbnails)}
${gallery('Wrong before, right now', wrongToRight, comparison.flipped.wrongToRight.n, thumbnails)}`;
}

function gallery(title: string, pictures: readonly FlippedImage[], n: number, thumbnails: Thumbnails): Html | null {
  if (pictures.length === 0) return null;
  const extent = n > pictures.length ? `${pictures.length} of ${count(n)}` : count(n);
  return html`<section class="gallery"><h3>${title} <span class="muted">${extent}</span></h3><ul>${pictures.map((picture) => html`<li>${figure(picture, thumbnails)}</li>`)}</ul></section>`;
}

function figure({ image, label, before, after }: FlippedImage, thumbnails: Thumbnails): Html {
  const [path, truth, was, is] = [shown(image, 120), shown(label, 40), shown(before, 40), shown(after, 40)];
  const alt = `${truth}, predicted ${was} before and ${is} now (${path})`;
  const source = thumbnails(image, null);
  const picture = source ? html`<img src="${source}" alt="${alt}">` : html`<div class="no-picture" role="img" aria-label="${alt}">no picture</div>`;
  const verdict =
    label === after
      ? html`<span class="right"><span aria-hidden="true">✓</span> <bdi>${truth}</bdi></span><br>was <bdi>${was}</bdi>`
      : html`<bdi>${truth}</bdi><br><span class="wrong"><span aria-hidden="true">✗</span> now <bdi>${is}</bdi></span>`;
  return html`<figure title="${path}">${picture}<figcaption>${verdict}</figcaption></figure>`;
}

function spread(images: readonly FlippedImage[]): readonly FlippedImage[] {
  if (images.length <= shownPictures) return images;
  return Array.from({ length: shownPictures }, (_, at) => images[Math.floor((at * images.length) / shownPictures)]!);
}
