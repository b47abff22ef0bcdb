import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Picture, type PictureBox } from '../picture';
import type { ThumbnailKind } from '../thumbnails';
import { useVirtualRows } from '../virtual';

export interface GalleryPicture {
  readonly kind: ThumbnailKind;
  /** Number of the image or region. */
  readonly id: number;
  readonly box?: PictureBox;
  readonly label: string;
  readonly predicted: string;
  readonly right: boolean;
  /** A few words under the picture. */
  readonly more?: string;
}

export interface GalleryProps {
  readonly label: string;
  readonly count: number;
  /** The picture at a place; asked only for those in sight. */
  readonly picture: (index: number) => GalleryPicture;
  readonly onOpen: (index: number) => void;
  readonly onHover?: (index: number | null) => void;
  /** Where it was scrolled to. */
  readonly scroll?: number;
  readonly onScroll?: (offset: number) => void;
  readonly empty: string;
}

const cell = { width: 112, height: 150 } as const;

/** Pictures in rows, drawn as they come into sight. Arrows go from one to the next, Enter opens. */
export function Gallery({ label, count, picture, onOpen, onHover, scroll = 0, onScroll, empty }: GalleryProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [across, setAcross] = useState(4);
  const [at, setAt] = useState(0);
  const rows = Math.ceil(count / across);
  const virtual = useVirtualRows(scroller, rows, cell.height, scroll);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setAcross(Math.max(1, Math.floor((scroller.current?.clientWidth ?? 0) / cell.width))));
    observer.observe(scroller.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    setAt((before) => Math.min(before, Math.max(0, count - 1)));
    if (scroll === 0) virtual.scrollTo(0);
  }, [count, scroll === 0]);

  const go = (to: number) => {
    const next = Math.max(0, Math.min(count - 1, to));
    setAt(next);
    virtual.reveal(Math.floor(next / across));
    // The picture may only be drawn by the scrolling.
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-at="${next}"]`)?.focus({ preventScroll: true }));
  };
  const keyed = (event: KeyboardEvent) => {
    const page = across * Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / cell.height));
    const moves: Record<string, number> = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + across, ArrowUp: at - across, PageDown: at + page, PageUp: at - page, Home: 0, End: count - 1 };
    const to = moves[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };

  return (
    <div
      class="gallery"
      ref={scroller}
      role="list"
      aria-label={label}
      onKeyDown={keyed}
      onScroll={() => onScroll?.(scroller.current!.scrollTop)}
      onPointerLeave={() => onHover?.(null)}
    >
      {count === 0 && <p class="muted empty">{empty}</p>}
      <div class="gallery-rows" role="presentation" style={{ height: `${virtual.height}px` }}>
        {virtual.rows.map(({ index: row, start }) => (
          <div key={row} class="gallery-row" role="presentation" style={{ transform: `translateY(${start}px)`, gridTemplateColumns: `repeat(${across}, minmax(0, 1fr))` }}>
            {Array.from({ length: Math.min(across, count - row * across) }, (_, column) => {
              const index = row * across + column;
              return (
                <Cell
                  key={column}
                  index={index}
                  count={count}
                  picture={picture(index)}
                  reached={index === at}
                  onOpen={() => {
                    setAt(index);
                    onOpen(index);
                  }}
                  onHover={onHover}
                />
              );
            })}
          </div>
        ))}
      </div>
    </div>
  );
}

interface CellProps {
  readonly index: number;
  readonly count: number;
  readonly picture: GalleryPicture;
  readonly reached: boolean;
  readonly onOpen: () => void;
  readonly onHover: ((index: number | null) => void) | undefined;
}

function Cell({ index, count, picture: { kind, id, box, label, predicted, right, more }, reached, onOpen, onHover }: CellProps) {
  const words = right ? `${label}, predicted right` : `${label}, predicted ${predicted}`;
  return (
    <div role="listitem" aria-setsize={count} aria-posinset={index + 1} class="cell">
      <button
        type="button"
        data-at={index}
        tabIndex={reached ? 0 : -1}
        title={`${words}${more ? `, ${more}` : ''}. Open the image`}
        onClick={onOpen}
        onPointerEnter={() => onHover?.(index)}
        onFocus={() => onHover?.(index)}
        onBlur={() => onHover?.(null)}
      >
        <span class="frame">
          <Picture kind={kind} id={id} alt={words} {...(box ? { box } : {})} />
        </span>
        <span class="caption clip" aria-hidden="true">
          <span class={`codicon codicon-${right ? 'check' : 'close'} ${right ? 'right' : 'wrong'}`} />
          <bdi>{label}</bdi>
          {!right && (
            <>
              {' → '}
              <bdi>{predicted}</bdi>
            </>
          )}
        </span>
        {more !== undefined && (
          <span class="caption more clip muted" aria-hidden="true">
            {more}
          </span>
        )}
      </button>
    </div>
  );
}
