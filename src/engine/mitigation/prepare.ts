/** Everything a fine-tuning run starts from, opened and checked before any work begins. */
import { basename, dirname, resolve } from 'node:path';
import type { Box } from '../../shared/boxes';
import type { Config } from '../../shared/config';
import type { Finding } from '../../shared/findings';
import type { Report } from '../../shared/progress';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint';
import { withCocoBoxes } from '../dataset/coco';
import { loadTable, type Table } from '../dataset/table';
import { filesOf, identifyInputs } from '../discovery/inputs';
import { loadValidationData, presentRows, type ValidationData } from '../discovery/validationData';
import { versions } from '../discovery/versions';
import type { OpenedRun } from '../run/runFolder';
import { fingerprint, hashFile, imageListHash, stableJson } from '../run/fingerprint';
import { readVerdicts } from '../run/verdicts';
import { parseCaptions } from '../training/captions';
import { chooseFindings, findDiscoveryRun, type DiscoveryRun } from './discoveryRun';
import * as errors from './errors';
import { featuresIn, readFeatures } from '../evaluation/features';
import type { Feature } from '../evaluation/groupTable';
import { assertTrainable } from '../training/trainability';

export type FineTuneKind = 'mitigate' | 'finetune';

export interface FineTuneRequest {
  /** With the region terms, or plain contrastive fine-tuning. */
  readonly kind: FineTuneKind;
  readonly config: Config;
  /** Folder that the config's relative paths start from. */
  readonly baseDir: string;
  /** Folder in which `.ravl` is made. */
  readonly root: string;
  /** Leave images out that are missing or cannot be decoded, instead of stopping. */
  readonly skipUnreadable: boolean;
  /** Start anew where an unfinished run could be resumed. */
  readonly fresh: boolean;
  /** Insist on going on with an unfinished run: the newest, or the one of this id. */
  readonly resume?: true | string;
  /** The analysis to take findings from: an id, or the newest that fits. */
  readonly run?: string;
  /** Ends the training after the step at hand: the epoch so far is validated, and the best one is kept and compared. */
  readonly finish?: AbortSignal;
  /** Told which run on disk it is as soon as it is open. */
  opened?(run: OpenedRun): void;
}

export interface Prepared {
  readonly checkpoint: Checkpoint;
  /** The config, with regions, embedding, classes and prompts as in the analysis. */
  readonly config: Config;
  readonly validation: ValidationData;
  readonly training: { readonly table: Table; readonly captions: readonly string[]; /** Class id; below 0 for none. */ readonly labels: Int32Array };
  /** null in plain fine-tuning without an analysis, or with regions listed by hand only. */
  readonly discovery: DiscoveryRun | null;
  readonly findings: readonly Finding[];
  /** The findings' presence in the validation images. */
  readonly features: readonly Feature[];
  /** [images] boxes listed by hand for the training images. */
  readonly byHand: readonly (readonly Box[])[] | null;
  readonly identity: { readonly fingerprint: string; readonly inputs: Record<string, string> };
}

/** Throws `config-*`, `checkpoint-*`, `dataset-*` and `mitigation-*`, one sentence each. */
export async function prepare(request: FineTuneRequest, report: Report): Promise<Prepared> {
  const { kind, baseDir, skipUnreadable } = request;
  const checkpoint = await openCheckpoint(request.config.checkpoint, baseDir);
  for (const text of checkpoint.notes) report({ type: 'note', level: 'info', text });
  if (checkpoint.image.batch !== null) throw errors.fixedBatch(basename(checkpoint.image.model.file), checkpoint.image.batch);
  if (request.config.data.train === undefined) throw errors.noTrainingData();
  await assertTrainable(checkpoint, request.config.training);

  const given = await loadValidationData(request.config, baseDir, skipUnreadable, report);
  const identity = await identifyInputs(request.config, baseDir, checkpoint, given.table, versions);
  const discovery = await discoveryOf(request, checkpoint, identity.inputs);
  const config = discovery ? withRunOf(request.config, discovery.config, report) : request.config;
  const validation = stableJson(config.classes ?? null) === stableJson(request.config.classes ?? null) ? given : await loadValidationData(config, baseDir, skipUnreadable, report);
  const findings = discovery ? chooseFindings(discovery, config.mitigation.findings, await readVerdicts(discovery.folder), report) : [];
  const features = discovery ? featuresIn(await readFeatures(discovery.folder, findings.map(({ rank }) => rank!)), validation.table.images) : [];

  const table = await trainingTable(config, baseDir, skipUnreadable, report);
  const { labels, counts } = parseCaptions(table.captions!, validation.classes);
  report({ type: 'note', level: counts.none + counts.several > 0.5 * labels.length ? 'warning' : 'info', text: captionCounts(counts) });
  if (kind === 'mitigate' && counts.one === 0) throw errors.captionsNameNoClass(config.data.train!, validation.classes);
  const byHand = kind === 'mitigate' && config.mitigation.regions !== undefined ? await listedRegions(resolve(baseDir, config.mitigation.regions), table) : null;

  const inputs = { ...identity.inputs, ...(await trainingInputs(config, baseDir, table)) };
  const decisive = { kind, config, inputs, versions, findings: findings.map(({ cluster }) => cluster), discovery: discovery?.id ?? null };
  return {
    checkpoint, config, validation, discovery, findings, features, byHand,
    training: { table, captions: table.captions!, labels },
    identity: { fingerprint: fingerprint(decisive), inputs },
  };
}

/** Region-aware fine-tuning needs an analysis unless regions are listed by hand; plain fine-tuning takes one to tell groups apart. */
async function discoveryOf({ kind, config, root, run }: FineTuneRequest, checkpoint: Checkpoint, inputs: Record<string, string>): Promise<DiscoveryRun | null> {
  const optional = kind === 'finetune' || (config.mitigation.regions !== undefined && config.mitigation.findings === undefined);
  if (optional && run === undefined) return null;
  const models = new Set(filesOf(checkpoint).map((file) => basename(file)));
  return findDiscoveryRun(resolve(root, '.ravl', 'runs'), run, inputs, models);
}

/** What decides regions and scores has to be as in the analysis, or its clusters would mean something else. */
function withRunOf(config: Config, then: Config, report: Report): Config {
  const { regions, embedding, classes, prompts, discovery } = then;
  const same = (['regions', 'embedding', 'classes', 'prompts'] as const).filter((key) => JSON.stringify(config[key]) !== JSON.stringify(then[key]));
  if (same.length > 0) report({ type: 'note', level: 'warning', text: `${same.join(', ')} of ravl.yaml differ from the analysis; those of the analysis are used.` });
  return { ...config, regions, embedding, classes, prompts, discovery };
}

async function trainingTable({ data, regions }: Config, baseDir: string, skipUnreadable: boolean, report: Report): Promise<Table> {
  const { image, caption, boxes } = data.columns;
  const fromTable = regions.kind === 'boxes' && data.coco === undefined;
  const loaded = await loadTable(resolve(baseDir, data.train!), { image, caption, ...(fromTable && boxes !== undefined ? { boxes } : {}) }, report);
  const table = regions.kind === 'boxes' && data.coco !== undefined ? await withCocoBoxes(loaded, resolve(baseDir, data.coco)) : loaded;
  const kept = (await presentRows(table, skipUnreadable, report)).table;
  if (kept.files.length < 2) throw errors.tooFewImages(data.train!, kept.files.length);
  return kept;
}

async function listedRegions(source: string, table: Table): Promise<readonly (readonly Box[])[]> {
  const listed = await loadTable(source, { image: 'image', boxes: 'boxes' });
  // Paths of one table are relative to it, so the files are compared, and the names where the tables lie apart.
  const byFile = new Map<string, Box[]>();
  const add = (key: string, boxes: readonly Box[]) => byFile.set(key, [...(byFile.get(key) ?? []), ...boxes]);
  listed.files.forEach((file, row) => add(file, listed.boxes![row]!));
  const sameFolder = dirname(source) === dirname(table.source);
  if (!sameFolder) listed.images.forEach((image, row) => add(image, listed.boxes![row]!));
  const boxes = table.files.map((file, row) => byFile.get(file) ?? byFile.get(table.images[row]!) ?? []);
  if (boxes.every((list) => list.length === 0)) throw errors.handRegionsUnmatched(source);
  return boxes;
}

async function trainingInputs({ mitigation }: Config, baseDir: string, table: Table): Promise<Record<string, string>> {
  const listed = mitigation.regions === undefined ? {} : { [`regions: ${basename(mitigation.regions)}`]: await hashFile(resolve(baseDir, mitigation.regions)) };
  const own = table.format === 'folder' ? {} : { [`training: ${basename(table.source)}`]: await hashFile(table.source) };
  return { ...own, ...listed, 'training images': await imageListHash('', table.files) };
}

function captionCounts({ one, none, several }: { one: number; none: number; several: number }): string {
  const naming = (count: number, what: string) => `${count.toLocaleString('en')} name${count === 1 ? 's' : ''} ${what}`;
  const rest = [none > 0 ? naming(none, 'none') : '', several > 0 ? naming(several, 'several') : ''].filter(Boolean);
  const all = one + none + several;
  return `Of ${all.toLocaleString('en')} captions ${naming(one, 'one class')}${rest.length > 0 ? `; ${rest.join(', ')}: those images take part in the contrastive loss only` : ''}.`;
}
