import { z } from 'zod';

/** verdicts.json: what a person thinks of the findings of a run. Kept with the run; mitigation reads it. */
export const verdictKinds = ['spurious', 'core', 'noise'] as const;

export const verdictSchema = z.object({
  verdict: z
    .enum(verdictKinds)
    .nullable()
    .describe('spurious: a shortcut, to be fine-tuned away. core: part of the object. noise: nothing that can be named. null: a note alone.'),
  note: z.string(),
});

export const verdictsSchema = z.object({
  version: z.literal(1),
  clusters: z.record(z.string(), verdictSchema).describe('By cluster id.'),
});

export type Verdict = z.infer<typeof verdictSchema>;
export type Verdicts = z.infer<typeof verdictsSchema>;
