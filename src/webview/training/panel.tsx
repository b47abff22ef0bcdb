import type { PanelStart } from '../../shared/panelApi';

export function TrainingPanel({ start }: { readonly start: PanelStart }) {
  return <p>{start.kind}</p>;
}
