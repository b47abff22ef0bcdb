import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { seededRandom } from './random';

/** Captions that name the class and nothing else (paper, section 4). */
export const captionTemplates: readonly string[] = [
  'the image shows a {}',
  'there is an image showing a {}',
  'a photo of a {}',
  'an image of a {}',
  'a picture of a {}',
  'this is a {}',
  'this is an image of a {}',
  'the photo shows a {}',
  'the picture shows a {}',
  'a photo showing a {}',
  'one can see a {} in the image',
  'here is a photo of a {}',
];

/** How a caption goes on where it names a rectangle as well; `{}` is its colour. */
export const rectangleTemplates: readonly string[] = [' with a {} rectangle', ' and a {} rectangle', ' next to a {} rectangle'];

/**
 * A caption for each image, in a template drawn at random.
 *
 * @param labels [images] class ids
 * @param names what captions call each class
 */
export function classCaptions(labels: Int32Array, names: readonly string[], seed: number): string[] {
  const random = seededRandom(seed, 'captions');
  return Array.from(labels, (label) => filled(drawn(captionTemplates, random), names[label]!));
}

/**
 * The same, but every other caption (at random) of an image with a rectangle names its colour too: what a model has to be
 * pretrained on for colours to have a name in its text encoder.
 *
 * @param colours [images] colour of the rectangle, null where there is none
 */
export function descriptiveCaptions(labels: Int32Array, names: readonly string[], colours: readonly (string | null)[], seed: number): string[] {
  const random = seededRandom(seed, 'captions');
  return Array.from(labels, (label, image) => {
    const caption = filled(drawn(captionTemplates, random), names[label]!);
    const colour = colours[image]!;
    const named = uniformInt(random, 0, 1) === 1;
    return colour !== null && named ? caption + filled(drawn(rectangleTemplates, random), colour) : caption;
  });
}

/** Every word these captions can hold, sorted: what the text encoder can know. */
export function captionWords(names: readonly string[], colours: readonly string[]): string[] {
  const texts = [...captionTemplates, ...rectangleTemplates, ...names, ...colours].join(' ').replaceAll('{}', '');
  return [...new Set(texts.split(/\s+/).filter((word) => word !== ''))].sort();
}

const filled = (template: string, word: string) => template.replace('{}', () => word);

function drawn(templates: readonly string[], random: ReturnType<typeof seededRandom>): string {
  return templates[uniformInt(random, 0, templates.length - 1)]!;
}
