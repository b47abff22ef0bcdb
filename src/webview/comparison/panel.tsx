import type { PanelStart } from '../../shared/panelApi';

export function ComparisonPanel({ start }: { readonly start: PanelStart }) {
  return <p>{start.kind}</p>;
}
