import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';

export interface VirtualRows {
  /** The rows in sight and a few around them. */
  readonly rows: readonly { readonly index: number; readonly start: number }[];
  /** Height of all rows. */
  readonly height: number;
  /** Scrolls no further than needed. */
  reveal(index: number): void;
  scrollTo(offset: number): void;
}

/** Rows of one height inside an element that scrolls: only those in sight are drawn. */
export function useVirtualRows(scroller: { readonly current: HTMLElement | null }, count: number, rowHeight: number, initialOffset = 0): VirtualRows {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 4,
    initialOffset,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: redraw as () => void,
  };
  const [virtualizer] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(options));
  virtualizer.setOptions(options);
  useEffect(() => virtualizer._didMount(), []);
  useLayoutEffect(() => virtualizer._willUpdate());
  useLayoutEffect(() => virtualizer.measure(), [rowHeight]);
  return {
    rows: virtualizer.getVirtualItems(),
    height: virtualizer.getTotalSize(),
    reveal: (index) => virtualizer.scrollToIndex(index, { align: 'auto' }),
    scrollTo: (offset) => virtualizer.scrollToOffset(offset),
  };
}
