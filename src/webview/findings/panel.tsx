import type { PanelStart } from '../../shared/panelApi';

export function FindingsPanel({ start }: { readonly start: PanelStart }) {
  return <p>{start.kind}</p>;
}
