import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Comparison, FlippedImage } from '../../shared/comparison';
import { count } from '../../shared/format';
import { shown } from '../../shared/words';
import { ProgressRing } from '../controls';
import { Failure } from '../failure';
import { useQuery } from '../host';
import { Section } from './section';

type Flip = keyof Comparison['flipped'];
const pageSize = 24;

/** The images that flipped, those that became wrong first. Pictures are asked for as they come into view. */
export function Flips({ flipped }: { readonly flipped: Comparison['flipped'] }) {
  return (
    <>
      <Gallery title="Right before, wrong now" flip="rightToWrong" {...flipped.rightToWrong} />
      <Gallery title="Wrong before, right now" flip="wrongToRight" {...flipped.wrongToRight} />
    </>
  );
}

function Gallery({ title, flip, n, images }: { readonly title: string; readonly flip: Flip; readonly n: number; readonly images: readonly FlippedImage[] }) {
  const extent = n > images.length ? `${count(images.length)} of ${count(n)}, evenly spread` : count(n);
  const pages = Array.from({ length: Math.ceil(images.length / pageSize) }, (_, page) => page * pageSize);
  return (
    <Section title={title} aside={<span class="muted">{extent}</span>}>
      {images.length === 0 && <p class="muted">None.</p>}
      {pages.map((from) => (
        <Page key={from} flip={flip} from={from} images={images.slice(from, from + pageSize)} />
      ))}
    </Section>
  );
}

function Page({ flip, from, images }: { readonly flip: Flip; readonly from: number; readonly images: readonly FlippedImage[] }) {
  const [element, seen] = useSeen();
  return (
    <ul class="flips" ref={element}>
      {seen ? <Pictures flip={flip} from={from} images={images} /> : images.map((image, i) => <Figure key={i} image={image} url={undefined} />)}
    </ul>
  );
}

function Pictures({ flip, from, images }: { readonly flip: Flip; readonly from: number; readonly images: readonly FlippedImage[] }) {
  const { value, error, again } = useQuery((api, signal) => api.flippedThumbnails({ flip, from, count: images.length }, { signal }), [flip, from, images.length]);
  const urls = useMemo(() => value?.map((picture) => picture && URL.createObjectURL(new Blob([picture as BlobPart], { type: 'image/webp' }))), [value]);
  useEffect(() => () => urls?.forEach((url) => url && URL.revokeObjectURL(url)), [urls]);
  return (
    <>
      {error && (
        <li class="flips-failure">
          <Failure error={error} again={again} />
        </li>
      )}
      {images.map((image, i) => (
        <Figure key={i} image={image} url={urls ? (urls[i] ?? null) : undefined} />
      ))}
      {!value && !error && (
        <li class="spoken">
          <ProgressRing label="Loading pictures" />
        </li>
      )}
    </>
  );
}

/** `url` is undefined while the picture is on its way, and null where it cannot be shown. */
function Figure({ image: { image, label, before, after }, url }: { readonly image: FlippedImage; readonly url: string | null | undefined }) {
  const [truth, was, is] = [shown(label, 40), shown(before, 40), shown(after, 40)];
  const right = label === after;
  const alt = `${truth}, predicted ${was} before and ${is} now`;
  return (
    <li>
      <figure title={shown(image, 300)}>
        <span class={url === undefined ? 'flip-picture waiting' : 'flip-picture'}>
          {url ? <img src={url} alt={alt} draggable={false} /> : url === null ? <span class="codicon codicon-file-media" role="img" aria-label={`${alt} (cannot be shown)`} title="This image cannot be shown." /> : null}
        </span>
        <figcaption>
          <span class="clip">
            <bdi>{truth}</bdi>
          </span>
          <span class="clip">
            <span class={`codicon codicon-${right ? 'pass better' : 'error worse'}`} aria-hidden="true" /> <bdi>{was}</bdi> → <bdi>{is}</bdi>
          </span>
        </figcaption>
      </figure>
    </li>
  );
}

/** Whether an element has been in view, or close to it. */
function useSeen() {
  const element = useRef<HTMLUListElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => entries.some(({ isIntersecting }) => isIntersecting) && setSeen(true), { rootMargin: '300px' });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return [element, seen] as const;
}
