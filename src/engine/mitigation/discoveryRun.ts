/** The discovery run that fine-tuning starts from: which one, whether it still fits, and what it says is spurious. */
import { basename, join } from 'node:path';
import { configSchema, type Config } from '../../shared/config';
import type { Finding, Findings } from '../../shared/findings';
import { listed } from '../../shared/format';
import type { Report } from '../../shared/progress';
import type { Verdicts } from '../../shared/verdicts';
import { damagedArtifact } from '../run/errors';
import { readNpy } from '../run/npy';
import { listRuns, type RunEntry } from '../run/runFolder';
import { rankUnknown, runUnfinished } from '../evaluation/errors';
import * as errors from './errors';
import { readFindings } from '../discovery/readFindings';

export interface DiscoveryRun {
  readonly id: string;
  readonly folder: string;
  /** The configuration it ran with: regions, embedding and classes are taken from here. */
  readonly config: Config;
  /** Resolved way of embedding regions. */
  readonly embedding: { readonly mode: string; readonly featureMap: string | null };
  readonly findings: Findings;
}

/**
 * The run of the given id or folder name, or the newest complete one on the same inputs. `inputs` are the hashes of the checkpoint
 * and the data as they are now, `models` the names of those that are the checkpoint's; a run on others is refused, naming
 * what differs. Where none fits, the refused one is the newest of this checkpoint, if there is any.
 * Throws `mitigation-no-discovery`, `mitigation-run-unknown`, `mitigation-run-unfinished`, `mitigation-other-checkpoint`,
 * `mitigation-data-changed`, `run-artifact-damaged`.
 */
export async function findDiscoveryRun(root: string, id: string | undefined, inputs: Readonly<Record<string, string>>, models: ReadonlySet<string>): Promise<DiscoveryRun> {
  const runs = (await listRuns(root)).filter((entry): entry is Extract<RunEntry, { file: unknown }> => 'file' in entry && entry.file.kind === 'analyze');
  const complete = runs.filter(({ file }) => file.state === 'complete');
  const changedIn = ({ file }: (typeof runs)[number]) => differing(file.inputs, inputs);
  const otherModels = (changed: readonly string[]) => changed.filter((name) => models.has(name) || /\.onnx/.test(name));
  const newest =
    complete.find((entry) => changedIn(entry).length === 0) ?? complete.find((entry) => otherModels(changedIn(entry)).length === 0) ?? complete[0];
  const run = id === undefined ? newest : runs.find((entry) => entry.id === basename(id));
  if (!run) throw id === undefined ? errors.noDiscovery() : errors.runUnknown(id, runs.map((entry) => entry.id));
  if (run.file.state !== 'complete') throw runUnfinished(run.id, run.file.state);
  const changed = changedIn(run);
  const ofCheckpoint = otherModels(changed);
  if (ofCheckpoint.length > 0) throw errors.otherCheckpoint(run.id, ofCheckpoint);
  if (changed.length > 0) throw errors.dataChanged(run.id, changed);
  const config = configSchema.safeParse(run.file.config);
  if (!config.success) throw damagedArtifact(join(run.folder, 'run.json'), 'its config is not one that this version of RaVL reads');
  return {
    id: run.id,
    folder: run.folder,
    config: config.data,
    embedding: run.file.embedding ?? { mode: 'crop', featureMap: null },
    findings: await readFindings(run.folder),
  };
}

/**
 * The findings of the given ranks. Where none are given, those that a person judged spurious, by rank; else the first flagged one
 * that was not judged part of the object or noise. A choice that verdicts made is told.
 * Throws `mitigation-no-finding`, `mitigation-all-judged`, `mitigation-rank-unknown`.
 */
export function chooseFindings({ id, findings: { findings } }: DiscoveryRun, ranks: readonly number[] | undefined, verdicts: Verdicts, report: Report): Finding[] {
  const ranked = findings.filter((finding) => finding.rank !== null);
  if (ranks === undefined) return byVerdict(id, ranked, verdicts, report);
  return [...new Set(ranks)].map((rank) => {
    const found = ranked.find((finding) => finding.rank === rank);
    if (!found) throw rankUnknown(id, rank, ranked.length);
    return found;
  });
}

function byVerdict(id: string, ranked: readonly Finding[], { clusters }: Verdicts, report: Report): Finding[] {
  const verdictOf = ({ cluster }: Finding) => clusters[cluster]?.verdict ?? null;
  const tell = (text: string) => report({ type: 'note', level: 'info', text });
  const spurious = ranked.filter((finding) => verdictOf(finding) === 'spurious').sort((a, b) => a.rank! - b.rank!);
  if (spurious.length > 0) {
    tell(`${spurious.length === 1 ? 'Finding' : 'Findings'} ${listed(spurious.map(({ rank }) => String(rank)))} of ${id} ${spurious.length === 1 ? 'is' : 'are'} pushed away: judged spurious.`);
    return spurious;
  }
  const flagged = ranked.filter((finding) => finding.flagged);
  if (flagged.length === 0) throw errors.noFinding(id, ranked.length);
  const first = flagged.find((finding) => verdictOf(finding) === null);
  if (!first) throw errors.allJudged(id, flagged.length);
  if (first !== flagged[0]) tell(`Finding ${first.rank} of ${id} is pushed away: those before it were judged part of the object or noise.`);
  return [first];
}

/** The medoids of all clusters [k, dim], cluster by cluster. */
export async function readMedoids({ folder, findings }: DiscoveryRun, dim: number): Promise<Float32Array> {
  const { data, shape } = await readNpy(join(folder, 'embeddings.npy'));
  if (shape[1] !== dim) throw damagedArtifact(join(folder, 'embeddings.npy'), `its embeddings have ${shape[1]} dimensions, the checkpoint's ${dim}`);
  const medoids = new Float32Array(findings.clusters.k * dim);
  for (const { cluster, medoid } of findings.findings) medoids.set(data.subarray(medoid * dim, (medoid + 1) * dim), cluster * dim);
  return medoids;
}

/** Names of the inputs that are not the same now; what only one side knows (another column of data) counts too. */
function differing(then: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(then), ...Object.keys(now)])].filter((name) => then[name] !== now[name]);
}
