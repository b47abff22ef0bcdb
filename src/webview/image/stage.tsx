import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ImageView } from '../../shared/runQueries';
import { shown } from '../../shared/words';
import type { Region } from './regions';

export interface StageProps {
  readonly view: ImageView;
  readonly regions: readonly Region[];
  readonly active: number | null;
  readonly masked: ReadonlySet<number>;
  /** As large as the panel allows; otherwise a pixel a pixel. */
  readonly fit: boolean;
  readonly onActive: (id: number | null) => void;
  readonly onToggle: (id: number) => void;
}

const margin = 16;

/** The image with its boxes. Boxes are drawn in pixels of the screen, so that lines and numbers keep their size at any zoom. */
export function Stage({ view, regions, active, masked, fit, onActive, onToggle }: StageProps) {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const observer = new ResizeObserver(() => box.current && setRoom({ width: box.current.clientWidth, height: box.current.clientHeight }));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  const url = useBlobUrl(view.bytes);

  const scale = fit ? Math.max(0, Math.min((room.width - 2 * margin) / view.width, (room.height - 2 * margin) / view.height)) : 1;
  const [width, height] = [Math.round(view.width * scale), Math.round(view.height * scale)];
  const marked = regions.find(({ id }) => id === active);
  return (
    <div class="stage" ref={box} tabIndex={fit ? -1 : 0}>
      {url === null || view.width === 0 ? (
        <p class="notice">
          <span class="codicon codicon-file-media" aria-hidden="true" /> <bdi>{shown(view.problem ?? 'This image cannot be shown.', 400)}</bdi>
        </p>
      ) : (
        <div class="stage-image" style={{ width: `${width}px`, height: `${height}px` }}>
          <img class={scale >= 2 ? 'pixelated' : ''} src={url} width={width} height={height} alt={`${shown(view.name, 120)}, labelled ${shown(view.label)}, predicted ${shown(view.predicted)}`} draggable={false} />
          <svg width={width} height={height} role="group" aria-label={`${regions.length} regions; the list beside the image tells about each.`}>
            <defs>
              <pattern id="masked" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
                <rect class="stage-mask-ground" width="8" height="8" />
                <rect class="stage-mask-line" width="2" height="8" />
              </pattern>
            </defs>
            {regions.map((region) => (
              <g
                key={region.id}
                class={region.flaggedRank === null ? 'stage-box' : 'stage-box flagged'}
                onPointerEnter={() => onActive(region.id)}
                onPointerLeave={() => onActive(null)}
                onClick={() => onToggle(region.id)}
              >
                <title>{`${region.place}: ${region.name}${masked.has(region.id) ? ', masked' : ''}. Click to ${masked.has(region.id) ? 'show' : 'mask'} it.`}</title>
                <Box region={region} scale={scale} fill={masked.has(region.id) ? 'url(#masked)' : 'transparent'} />
              </g>
            ))}
            {marked && (
              // On top of the boxes that overlap it; the pointer goes through it.
              <g class="stage-active" key="active">
                <Box region={marked} scale={scale} fill="none" />
              </g>
            )}
          </svg>
        </div>
      )}
    </div>
  );
}

function Box({ region, scale, fill }: { readonly region: Region; readonly scale: number; readonly fill: string }) {
  const { place, box } = region;
  const [x, y, width, height] = box.map((value) => value * scale) as [number, number, number, number];
  // The line lies inside its box: boxes that touch stay apart, and none is cut off at the image's border.
  const frame = { x: x + 2, y: y + 2, width: Math.max(1, width - 4), height: Math.max(1, height - 4) };
  return (
    <>
      <rect {...frame} fill={fill} />
      <rect class="stage-outer" {...frame} />
      <rect class="stage-inner" {...frame} />
      <rect class="stage-plate" x={frame.x} y={frame.y} width={8 + 7 * String(place).length} height="16" />
      <text x={frame.x + 4} y={frame.y + 12}>
        {place}
      </text>
    </>
  );
}

/** A URL for bytes that came from the editor, given back when they are no longer shown. */
function useBlobUrl(bytes: Uint8Array | null): string | null {
  const url = useMemo(() => (bytes ? URL.createObjectURL(new Blob([bytes as BlobPart], { type: 'image/webp' })) : null), [bytes]);
  useEffect(() => () => void (url && URL.revokeObjectURL(url)), [url]);
  return url;
}
