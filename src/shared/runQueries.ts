import { z } from 'zod';
import type { Comparison, MetricsLine } from './comparison';
import type { Config } from './config';
import type { Finding, Findings } from './findings';
import { method, nothing } from './rpc';
import type { RunSummary } from './runSummary';
import type { Verdict, Verdicts } from './verdicts';
import { verdictKinds } from './verdicts';

/**
 * What a panel asks about the run that it shows. The worker's viewer answers; the extension host only passes questions and
 * answers on and adds the folder, which a panel cannot name. Images, regions and clusters are named by number alone.
 */
const id = z.int().min(0);
const thumbnailKinds = ['image', 'region'] as const;
/** Most thumbnails a question may ask for. */
export const thumbnailPage = 64;

export const runQueries = {
  /** An analysis: everything but the member regions and the images. */
  overview: method(nothing).returns<Overview>(),
  /** The regions of an analysis as columns. */
  regions: method(nothing).returns<RegionTable>(),
  /** A point a region in the plane; slow the first time, then read from the run's cache. */
  projection: method(nothing).returns<Projection>(),
  /** Small pictures as WebP, at most 160 pixels a side: the upright image, or what a region's box cuts out. null where an image cannot be read. */
  thumbnails: method(z.strictObject({ kind: z.enum(thumbnailKinds), ids: z.array(id).max(thumbnailPage) })).returns<readonly (Thumbnail | null)[]>(),
  /** One image, large. */
  image: method(z.strictObject({ image: id })).returns<ImageView>(),
  /** The number of an image by its absolute path; null where the run has not seen it. */
  findImage: method(z.strictObject({ file: z.string().max(10_000) })).returns<{ image: number | null }>(),
  /** The prediction with regions painted over in the mean colour of the preprocessing, beside the one for the image as it is. */
  whatIf: method(z.strictObject({ image: id, regions: z.array(id).max(200) })).returns<WhatIf>(),
  setVerdict: method(z.strictObject({ cluster: id, verdict: z.enum(verdictKinds).nullable(), note: z.string().max(10_000) })).returns<Verdicts>(),
  /** All members of a cluster as a file's text. */
  exportMembers: method(z.strictObject({ cluster: id, format: z.enum(['csv', 'json']) })).returns<{ name: string; text: string }>(),
  /** The rows of the data table with an image that is mispredicted and owns a region of a flagged cluster. */
  misledRows: method(nothing).returns<MisledRows>(),
  /** The comparison of a fine-tuning run or of two runs; null until it is there. */
  comparison: method(nothing).returns<ComparisonView | null>(),
  /** The images of a comparison by their place in `comparison.flipped`, as thumbnails. */
  flippedThumbnails: method(z.strictObject({ flip: z.enum(['rightToWrong', 'wrongToRight']), from: id, count: z.int().min(1).max(thumbnailPage) })).returns<readonly (Uint8Array | null)[]>(),
  /** The lines of metrics.jsonl from line `from` (0-based) on, and the run as it stands. */
  training: method(z.strictObject({ from: id })).returns<TrainingView>(),
};
export type RunQueries = typeof runQueries;

/** What the extension host alone may ask: paths never go to a webview. */
export const hostQueries = {
  /** The absolute path of an image's file, which is there or not. */
  imageFile: method(z.strictObject({ image: id })).returns<{ file: string }>(),
};
export type HostQueries = typeof hostQueries;

/** All that the viewer answers. */
export const viewerQueries = { ...runQueries, ...hostQueries };
export type ViewerQueries = typeof viewerQueries;

export type FindingSummary = Omit<Finding, 'regions'>;

export interface Overview {
  readonly run: RunSummary;
  /** In the order of findings.json: flagged first, then the other survivors by gap, then the pruned. */
  readonly findings: readonly FindingSummary[];
  readonly classes: readonly string[];
  readonly images: number;
  readonly regions: number;
  readonly accuracy: Findings['accuracy'];
  readonly clusters: Findings['clusters'];
  readonly seed: number;
  readonly prompts: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
  readonly config: Config;
  readonly verdicts: Verdicts;
  /** Why images cannot be shown (the data moved); null where they can. */
  readonly imagesProblem: string | null;
}

/** Columns of equal length, one entry a region; and the images they lie in. Treat as immutable. */
export interface RegionTable {
  /** Cluster ids as in findings. */
  readonly cluster: Int32Array;
  /** Number of the image, 0-based, in the order of `imageNames`. */
  readonly image: Int32Array;
  /** Boxes in pixels of the upright image. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly width: Float32Array;
  readonly height: Float32Array;
  /** Cosine similarity to the medoid. */
  readonly similarity: Float32Array;
  /** Zero-shot score of the region alone for its image's predicted class, and for the image's label. */
  readonly scorePredicted: Float32Array;
  readonly scoreLabel: Float32Array;
  /** Whether the region is the one that its image's error is traced to: its image is mispredicted and no other region of it scores the predicted class higher (paper, H_c). 0 or 1. */
  readonly influential: Uint8Array;
  /** Of each image: class ids (-1 where an image without regions makes them unknown), and the path as the data names it. */
  readonly imageLabel: Int32Array;
  readonly imagePredicted: Int32Array;
  readonly imageNames: readonly string[];
}

export interface Projection {
  /** [regions] in 0..1. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** In words: how it was made, e.g. that regions were sampled. */
  readonly method: string;
}

export interface Thumbnail {
  /** WebP. */
  readonly bytes: Uint8Array;
  /** Pixels of what was made small, the upright image or the region: those that boxes count in. */
  readonly width: number;
  readonly height: number;
}

export interface ImageView {
  readonly image: number;
  readonly name: string;
  /** WebP of the upright image, at most 1,024 pixels a side; null where it cannot be read, with the reason in `problem`. */
  readonly bytes: Uint8Array | null;
  readonly problem: string | null;
  /** Pixels of the upright image, which boxes count in; 0 where it cannot be read. */
  readonly width: number;
  readonly height: number;
  readonly label: string;
  readonly predicted: string;
  /** Region numbers, in the order of their boxes. */
  readonly regions: readonly number[];
}

export interface WhatIf {
  readonly before: Prediction;
  readonly after: Prediction;
}
export interface Prediction {
  readonly predicted: string;
  /** Zero-shot scores of all classes, in class order; they sum to 1. */
  readonly scores: readonly number[];
}

export interface MisledRows {
  /** Absolute path of the table; rows of a folder of images have no lines. */
  readonly source: string;
  readonly hasLines: boolean;
  readonly rows: readonly {
    /** Line in the file, from 1. */
    readonly line: number;
    readonly image: number;
    /** Path as the table names it. */
    readonly name: string;
    readonly label: string;
    readonly predicted: string;
    /** Ranks of the flagged findings that the image has. */
    readonly ranks: readonly number[];
  }[];
}

export interface ComparisonView {
  readonly comparison: Comparison;
  /** In words. */
  readonly before: string;
  readonly after: string;
  /** The run that was fine-tuned; null for a comparison of two runs. */
  readonly run: RunSummary | null;
}

export interface TrainingView {
  readonly run: RunSummary;
  readonly config: Config;
  readonly lines: readonly MetricsLine[];
  /** Where to ask on from. `next - lines.length` is the place of the first line: less than `from` where a resume cut the log back, and then what stands from there on is replaced. */
  readonly next: number;
  /** Steps at most. null until it is known. */
  readonly totalSteps: number | null;
}

export type { Verdict, Verdicts };
