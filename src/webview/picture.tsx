import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { LoadedThumbnail, ThumbnailKind, Thumbnails } from './thumbnails';

export const ThumbnailsContext = createContext<Thumbnails | null>(null);

/** x, y, width, height in pixels of the upright image. */
export type PictureBox = readonly [x: number, y: number, width: number, height: number];

export interface PictureProps {
  readonly kind: ThumbnailKind;
  readonly id: number;
  readonly alt: string;
  /** A region to outline in the whole image. */
  readonly box?: PictureBox;
}

/** A thumbnail that fills its frame as far as its aspect allows; a grey field while it is on its way. */
export function Picture({ kind, id, alt, box }: PictureProps) {
  const thumbnail = useThumbnail(kind, id);
  if (thumbnail === null) {
    return (
      <span class="picture missing" role="img" aria-label={`${alt} (cannot be shown)`} title="This image cannot be shown.">
        <span class="codicon codicon-file-media" aria-hidden="true" />
      </span>
    );
  }
  if (thumbnail === undefined) return <span class="picture waiting" role="img" aria-label={alt} />;
  return (
    <span class="picture">
      <img src={thumbnail.url} alt={alt} draggable={false} />
      {box && <Outline box={box} width={thumbnail.width} height={thumbnail.height} />}
    </span>
  );
}

/** A box on top of an image in a double line, dark outside and bright inside, so that it stands out from any picture. */
export function Outline({ box: [x, y, width, height], width: across, height: down }: { box: PictureBox; width: number; height: number }) {
  const frame = { x, y, width, height };
  return (
    <svg class="outline" viewBox={`0 0 ${across} ${down}`} preserveAspectRatio="xMidYMid meet" aria-hidden="true">
      <rect class="outside" {...frame} />
      <rect class="inside" {...frame} />
    </svg>
  );
}

/** A thumbnail; undefined while it is on its way, null where there is none. */
export function useThumbnail(kind: ThumbnailKind, id: number): LoadedThumbnail | null | undefined {
  const thumbnails = useContext(ThumbnailsContext);
  const [answer, setAnswer] = useState<{ kind: ThumbnailKind; id: number; thumbnail: LoadedThumbnail | null }>();
  useEffect(() => thumbnails?.want(kind, id, (thumbnail) => setAnswer({ kind, id, thumbnail })), [thumbnails, kind, id]);
  return answer?.kind === kind && answer.id === id ? answer.thumbnail : undefined;
}
