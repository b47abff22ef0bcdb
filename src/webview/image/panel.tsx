import type { PanelStart } from '../../shared/panelApi';

export function ImagePanel({ start }: { readonly start: PanelStart }) {
  return <p>{start.kind}</p>;
}
