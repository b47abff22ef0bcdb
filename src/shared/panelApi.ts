import { z } from 'zod';
import type { ProgressEvent } from './progress';
import { method, nothing } from './rpc';
import { type RunQueries, runQueries } from './runQueries';

/**
 * What a webview asks of the extension host: the questions about its run (runQueries.ts, passed on to the viewer) and what
 * the editor does. The host decides which run a panel shows; the panel names images, regions and clusters by number.
 */
export const panelKinds = ['findings', 'image', 'comparison', 'training'] as const;
export type PanelKind = (typeof panelKinds)[number];

const id = z.int().min(0);

export const panelActions = {
  /** What the panel shows; asked once and before anything else, when its script has started (again: a hidden panel's script is gone). */
  start: method(nothing).returns<PanelStart>(),
  /** Opens an image with its regions beside the panel. */
  openImage: method(z.strictObject({ image: id, region: id.optional() })).returns<boolean>(),
  /** Opens the image's own file in the editor, or copies its path. */
  openImageFile: method(z.strictObject({ image: id })).returns<boolean>(),
  copyImagePath: method(z.strictObject({ image: id })).returns<boolean>(),
  /** Shows what would change in the config to fine-tune the finding away, as a diff, and offers to start it. */
  fixFinding: method(z.strictObject({ rank: z.int().min(1) })).returns<boolean>(),
  /** Asks where to, then writes the members of a cluster. False where the person thought better of it. */
  saveMembers: method(z.strictObject({ cluster: id, format: z.enum(['csv', 'json']) })).returns<boolean>(),
  saveChart: method(z.strictObject({ name: z.string().max(200), svg: z.string().max(5_000_000) })).returns<boolean>(),
  openReport: method(nothing).returns<boolean>(),
  openFindings: method(z.strictObject({ run: z.string().max(300).optional() })).returns<boolean>(),
  openComparison: method(nothing).returns<boolean>(),
  showLog: method(nothing).returns<boolean>(),
  cancelRun: method(nothing).returns<boolean>(),
  /** Ends the training after its step and keeps the best epoch. */
  finishRun: method(nothing).returns<boolean>(),
  resumeRun: method(nothing).returns<boolean>(),
};

export const panelApi = { ...runQueries, ...panelActions };
export type PanelApi = RunQueries & typeof panelActions;

export interface PanelStart {
  readonly kind: PanelKind;
  /** Of an image panel, the image, and the region to mark. */
  readonly image?: number;
  readonly region?: number;
  /** Of a findings panel, the finding to go to. */
  readonly rank?: number;
  readonly live: Live | null;
  /** To be kept as `restore` in the webview's state, `setState({ restore, … })`: the host brings the panel back by it. An image panel keeps `image` up to date in it. */
  readonly restore: PanelRestore;
}

/** What a panel that comes back after a restart showed. */
export const panelRestoreSchema = z.object({ kind: z.enum(panelKinds), folder: z.string().min(1).max(10_000), image: id.optional() });
export type PanelRestore = Readonly<z.infer<typeof panelRestoreSchema>>;

/** The job at work on the panel's run, as last heard of; null where none is. */
export interface Live {
  readonly progress: Extract<ProgressEvent, { type: 'progress' }> | null;
  /** Seconds to the end of the phase; null until they can be told. */
  readonly eta: number | null;
}

const progress = z.object({ type: z.literal('progress'), phase: z.string(), done: z.number(), total: z.number(), unit: z.string() });

/** What the host tells a panel unasked. */
export const panelEvents = {
  /** New lines in metrics.jsonl, another state of the run, or a comparison: ask again. */
  runChanged: z.object({}),
  live: z.object({ live: z.object({ progress: progress.nullable(), eta: z.number().nullable() }).nullable() }),
  viewProgress: z.object({ query: z.string(), done: z.number(), total: z.number() }),
  /** Go to a finding: from the Problems view, a table's hover or the tree. */
  showFinding: z.object({ rank: z.int().min(1) }),
  /** Show another image in this image panel. */
  showImage: z.object({ image: id, region: id.optional() }),
  /** Verdicts were changed elsewhere. */
  verdictsChanged: z.object({}),
};
