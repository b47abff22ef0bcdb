import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parsed, writeFileAtomically } from '../run/atomic';

/** compared.json, beside the comparison.json of two checkpoints: what comparison.json leaves out for its bytes to stay the same. */
const comparedSchema = z.object({
  version: z.literal(1),
  before: z.string().describe('In words.'),
  after: z.string(),
  run: z.string().nullable().describe('The analysis that the groups come from.'),
  data: z.string().describe('Absolute path of the table or folder of images.'),
  image: z.string().describe('Its column of image paths.'),
});
export type Compared = Omit<z.infer<typeof comparedSchema>, 'version'>;

/** Throws storage errors. */
export const writeCompared = (folder: string, compared: Compared) =>
  writeFileAtomically(join(folder, 'compared.json'), `${JSON.stringify({ version: 1, ...compared }, null, 2)}\n`);

/** null where there is none that can be read: a comparison can be shown without, only not its images. */
export async function readCompared(folder: string): Promise<Compared | null> {
  const text = await readFile(join(folder, 'compared.json'), 'utf8').catch(() => null);
  return text === null ? null : (comparedSchema.safeParse(parsed(text)).data ?? null);
}
