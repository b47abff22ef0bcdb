import { z } from 'zod';
import type { verdictKinds } from '../../shared/verdicts';
import { createStore, type Store } from '../store';

export const columns = ['rank', 'name', 'attribute', 'gap', 'influence', 'support', 'qValue', 'flagged', 'verdict', 'lasso'] as const;
export type Column = (typeof columns)[number];
export const colourings = ['cluster', 'class', 'outcome', 'influence'] as const;
export type Colouring = (typeof colourings)[number];
export const detailTabs = ['regions', 'counter', 'evidence'] as const;

/** What outlives a reload. */
const keptSchema = z.object({
  /** Id of the selected cluster. null: the first. */
  cluster: z.int().nullable().catch(null),
  sort: z.object({ column: z.enum(columns), descending: z.boolean() }).catch({ column: 'rank', descending: false }),
  search: z.string().max(1000).catch(''),
  flaggedOnly: z.boolean().catch(false),
  tab: z.enum(detailTabs).catch('regions'),
  allClasses: z.boolean().catch(false),
  /** A class id; null for all. */
  label: z.int().min(0).nullable().catch(null),
  outcome: z.enum(['all', 'right', 'wrong']).catch('all'),
  minScore: z.number().min(0).max(1).catch(0),
  /** Regions of the selected finding, or of all clusters. */
  scope: z.enum(['finding', 'all']).catch('finding'),
  pictures: z.enum(['region', 'image']).catch('image'),
  colouring: z.enum(colourings).catch('cluster'),
  /** How far the gallery is scrolled. */
  scroll: z.number().min(0).catch(0),
});
export type Kept = z.infer<typeof keptSchema>;

export interface FindingsState extends Kept {
  /** One entry a region, 1 inside the lasso; null without a lasso. */
  readonly lasso: Uint8Array | null;
  /** Region whose picture the pointer is on. */
  readonly hovered: number | null;
}
export type FindingsStore = Store<FindingsState>;
export type VerdictKind = (typeof verdictKinds)[number];

/** The state of a findings panel, begun with what was kept of an earlier one; what is not understood of it is left out. */
export function createFindingsStore(kept: unknown): FindingsStore {
  const understood = keptSchema.safeParse(kept).data ?? keptSchema.parse({});
  return createStore<FindingsState>({ ...understood, lasso: null, hovered: null });
}

/** The part of the state to keep. */
export const keptOf = (state: FindingsState): Kept => keptSchema.parse(state);
