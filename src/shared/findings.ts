import { z } from 'zod';

/**
 * findings.json: what a discovery run found, and enough evidence to doubt it. Same inputs and seed give the same
 * bytes, so it holds no times, ids or absolute paths. Accuracies are shares in 0..1, intervals are 95%.
 */
const interval = z.tuple([z.number(), z.number()]);
const box = z.tuple([z.number(), z.number(), z.number(), z.number()]).describe('x, y, width, height in pixels of the upright image');

const classRowSchema = z.object({
  label: z.string(),
  presentN: z.int().describe('Images of this class that own a region of the cluster.'),
  presentAcc: z.number().nullable().describe('Zero-shot accuracy over them; null when there are none.'),
  absentN: z.int(),
  absentAcc: z.number().nullable(),
  gap: z.number().nullable().describe('presentAcc - absentAcc.'),
  weighted: z.number().describe('G_c^y: the gap times 2·min(n)/(n + n); 0 when one side is empty.'),
  interval: interval.nullable().describe('95% interval of the gap (Newcombe, from Wilson intervals).'),
  influence: z.number().nullable().describe('H_c^y; null when no mispredicted image of this class qualifies.'),
});

const regionRefSchema = z.object({
  region: z.int().describe('Row in regions.arrow and embeddings.npy.'),
  image: z.string().describe('Path as the data names it.'),
  box,
  similarity: z.number().describe('Cosine similarity to the medoid.'),
  label: z.string(),
  predicted: z.string().describe('Zero-shot prediction for the whole image.'),
});

const imageRefSchema = z.object({ image: z.string(), label: z.string(), predicted: z.string() });

export const clusterSchema = z.object({
  cluster: z.int(),
  rank: z.int().nullable().describe('1 = largest gap among the clusters that survive; null when pruned.'),
  flagged: z.boolean().describe('Survives every rule and is significant: a spurious feature to look at.'),
  reasons: z.array(z.string()).describe('Why it is not flagged, one sentence each; empty when it is.'),
  name: z.array(z.string()).describe('Nearest words, best first.'),
  attribute: z.string().nullable().describe('The class the feature pulls towards: argmax of presentAcc - absentAcc.'),
  gap: z.number().describe('G_c'),
  gapInterval: interval.nullable(),
  influence: z.number().nullable().describe('H_c'),
  pValue: z.number().nullable(),
  qValue: z.number().nullable().describe('Benjamini-Hochberg adjusted p-value over all tested clusters.'),
  support: z.int().describe('Images that own a region of the cluster.'),
  size: z.int().describe('Regions in the cluster.'),
  medoid: z.int().describe('Row of the medoid in regions.arrow.'),
  classes: z.array(classRowSchema),
  regions: z.array(regionRefSchema).describe('Member regions, nearest to the medoid first.'),
  counterExamples: z.object({
    presentRight: z.array(imageRefSchema).describe('Images of a class that loses by the feature, with the feature and yet right.'),
    absentWrong: z.array(imageRefSchema).describe('Images of a class that loses by the feature, without it and yet wrong.'),
  }),
});

export const findingsSchema = z.object({
  version: z.literal(1),
  seed: z.int(),
  classes: z.array(z.string()),
  images: z.int(),
  regions: z.int(),
  accuracy: z.object({
    overall: z.number(),
    worstClass: z.object({ label: z.string(), accuracy: z.number() }),
    perClass: z.array(z.object({ label: z.string(), n: z.int(), accuracy: z.number() })),
  }),
  clusters: z.object({
    k: z.int(),
    silhouette: z.number(),
    sweep: z.array(z.object({ k: z.int(), silhouette: z.number(), loss: z.number() })),
    method: z.string().describe('exact, or how many regions were sampled and why.'),
  }),
  findings: z.array(clusterSchema).describe('Every cluster: flagged first, then the other survivors by G_c, then the pruned by G_c.'),
});

export type Findings = z.infer<typeof findingsSchema>;
export type Finding = z.infer<typeof clusterSchema>;
export type ClassRow = z.infer<typeof classRowSchema>;
