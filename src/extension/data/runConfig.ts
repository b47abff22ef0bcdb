import { isDeepStrictEqual } from 'node:util';
import * as vscode from 'vscode';
import type { Document } from 'yaml';
import { parseConfig } from '../../shared/configFile';
import type { Config } from '../../shared/config';
import type { RunSummary } from '../../shared/runSummary';

/** A config that lies in the folder which a run's paths start from. */
export interface RunConfig {
  readonly uri: vscode.Uri;
  /** Without a byte order mark, as the positions of `document` count. */
  readonly text: string;
  readonly config: Config;
  readonly document: Document;
}

/** The valid configs in a folder, ravl.yaml first, then by name. A folder that is gone has none. */
export async function configsIn(folder: string): Promise<RunConfig[]> {
  const base = vscode.Uri.file(folder);
  const entries = await Promise.resolve(vscode.workspace.fs.readDirectory(base)).catch((): [string, vscode.FileType][] => []);
  const names = entries.map(([name]) => name).filter((name) => name === 'ravl.yaml' || name.endsWith('.ravl.yaml'));
  const order = (name: string) => (name === 'ravl.yaml' ? '' : name);
  names.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  const read = await Promise.all(names.map((name) => readConfig(vscode.Uri.joinPath(base, name))));
  return read.filter((config) => config !== undefined);
}

/** The config that a run is of: it looks at the same images, and best of all with the same checkpoint. */
export function configOf(run: Pick<Config, 'checkpoint' | 'data'>, configs: readonly RunConfig[]): RunConfig | undefined {
  const sameImages = configs.filter(({ config }) => config.data.validation === run.data.validation);
  return sameImages.find(({ config }) => isDeepStrictEqual(config.checkpoint, run.checkpoint)) ?? sameImages[0];
}

/** Whether a run in a list is one of this config, as far as the list tells. */
export const isRunOf = (run: RunSummary, { checkpoint, data }: Config): boolean =>
  run.validation === data.validation && (typeof checkpoint === 'string' ? checkpoint : (checkpoint.model ?? checkpoint.vision)) === run.checkpoint;

async function readConfig(uri: vscode.Uri): Promise<RunConfig | undefined> {
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
  const text = open?.getText() ?? (await Promise.resolve(vscode.workspace.fs.readFile(uri)).then((bytes) => new TextDecoder().decode(bytes), () => ''));
  const { config, document } = parseConfig(text, uri.fsPath);
  return config ? { uri, text: text.replace(/^\uFEFF/, ''), config, document } : undefined;
}
