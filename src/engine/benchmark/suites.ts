import type { SuiteName } from '../../shared/suiteNames';
import { classNames } from './idx';
import { features, type PlantedFeature } from './marks';

export type Dataset = keyof typeof classNames;

/** One planted correlation: what is tied to what, how strongly, and by which seed. */
export interface Setting {
  /** Photos are a person's own. */
  readonly dataset: Dataset | 'photos';
  /** An object is what is planted in photos. */
  readonly feature: PlantedFeature | 'object';
  /** Class id. */
  readonly tied: number;
  readonly cramersV: number;
  readonly seed: number;
}

/** Sizes and training of a suite: the same for all of its settings. */
export interface Scale {
  /** The common start: a small CLIP trained on images whose features tell nothing of the class. */
  readonly pretraining: { readonly images: number; readonly epochs: number };
  /** Fine-tuning images and evaluation images. */
  readonly images: number;
  readonly evaluation: number;
  readonly epochs: number;
}

export interface Suite {
  readonly name: SuiteName | 'photos';
  /** Heading of its tables. */
  readonly title: string;
  /** What it is about, in a sentence, where the title does not tell. */
  readonly about?: string;
  readonly settings: readonly Setting[];
}

const seeds = [1, 2, 3];
const strengths = [0.7, 0.8, 0.9, 0.95, 0.99];

/**
 * quick: Fashion-MNIST, a red rectangle, V .95. quick-mnist: likewise on MNIST, where errors are rarer. paper: both data sets, a red rectangle, every V of the paper, in its sizes
 * (section 4.1). full: the same with every other feature as well. Ten classes and three seeds each; the settings of one
 * (data set, feature, class, V) follow one another, for they are valid together or not at all.
 */
export function suiteOf(name: SuiteName): Suite & { readonly scale: Scale } {
  const title = `ravl benchmark --suite ${name}`;
  const settings = (datasets: readonly Dataset[], of: readonly PlantedFeature[], vs: readonly number[]): Setting[] =>
    datasets.flatMap((dataset) =>
      of.flatMap((feature) => classNames[dataset].flatMap((_, tied) => vs.flatMap((cramersV) => seeds.map((seed) => ({ dataset, feature, tied, cramersV, seed }))))),
    );
  const small: Scale = { pretraining: { images: 2_000, epochs: 12 }, images: 1_500, evaluation: 800, epochs: 6 };
  const whole: Scale = { pretraining: { images: 40_000, epochs: 10 }, images: 10_000, evaluation: 2_000, epochs: 10 };
  switch (name) {
    case 'quick':
      return { name, title, scale: small, settings: settings(['fashion-mnist'], ['rectangle'], [0.95]) };
    case 'quick-mnist':
      return { name, title, scale: small, settings: settings(['mnist'], ['rectangle'], [0.95]) };
    case 'paper':
      return { name, title, scale: whole, settings: settings(['fashion-mnist', 'mnist'], ['rectangle'], strengths) };
    case 'full':
      return { name, title, scale: whole, settings: settings(['fashion-mnist', 'mnist'], features, strengths) };
  }
}

/** Settings that are valid together: all seeds of one. */
export function bySeeds(settings: readonly Setting[]): Setting[][] {
  const groups = new Map<string, Setting[]>();
  for (const setting of settings) {
    const { dataset, feature, tied, cramersV } = setting;
    const key = JSON.stringify([dataset, feature, tied, cramersV]);
    groups.set(key, [...(groups.get(key) ?? []), setting]);
  }
  return [...groups.values()];
}

/** In words, for progress and tables. */
export const inWords = ({ dataset, feature, tied, cramersV, seed }: Setting, classes: readonly string[]) => `${dataset}, ${feature} tied to ${classes[tied]}, V ${cramersV}, seed ${seed}`;

/** The feature of a setting that is no photos'. */
export function plantedFeature({ feature }: Setting): PlantedFeature {
  if (feature === 'object') throw new Error('Objects are planted in photos only.');
  return feature;
}
