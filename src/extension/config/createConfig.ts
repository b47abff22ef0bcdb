import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, extname, isAbsolute, join, relative, sep } from 'node:path';
import * as vscode from 'vscode';
import { systemCode } from '../../shared/errors';
import { guessColumns } from '../../shared/guessColumns';
import { initialConfigFile, mostClasses } from '../../shared/initFile';
import { shown } from '../../shared/words';
import type { Context } from '../context';
import { showError } from '../messages';
import { requireTrust } from '../trust';
import { checkpointsOf, classFoldersOf, commonFolder, rankTables } from './candidates';
import { configExists, configNotWritten, trainUnfit } from './errors';
import { type PickItem, type Step, input, pick, runWizard } from './wizard';

/** What is known so far. Paths are absolute. */
interface Draft {
  readonly checkpoint?: string;
  readonly validation?: string;
  /** Of the validation table; none for a folder per class. */
  readonly columns: readonly string[];
  readonly image?: string | undefined;
  readonly label?: string | undefined;
  readonly caption?: string;
  /** Null: without. */
  readonly train?: string | null;
  readonly trainColumns: readonly string[];
  /** Name of the file, where ravl.yaml is taken. */
  readonly name?: string;
}

/**
 * Asks in one multi-step quick pick what a ravl.yaml cannot do without, guesses the rest, writes the file and opens it.
 * Undefined once the person leaves; nothing is written then.
 */
export async function createConfig(context: Pick<Context, 'viewer' | 'log'>, checkpoint?: vscode.Uri): Promise<vscode.Uri | undefined> {
  requireTrust();
  const found = await findCandidates();
  const draft = await runWizard(vscode.l10n.t('Create a RaVL config'), stepsOf(context, found), {
    columns: [],
    trainColumns: [],
    // Of a part of a checkpoint, the whole.
    ...(checkpoint ? { checkpoint: checkpointsOf([checkpoint.fsPath])[0]! } : {}),
  });
  if (!draft) return undefined;
  const written = await write(context, draft as Complete);
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(written));
  return written;
}

type Complete = Draft & { readonly checkpoint: string; readonly validation: string; readonly image: string; readonly label: string };

interface Candidates {
  readonly checkpoints: readonly string[];
  readonly tables: readonly string[];
}

/** A folder with more is not looked through to its end. */
const mostFiles = 2000;
const elsewhere = '**/{node_modules,.git,.ravl,.venv,venv,__pycache__}/**';

async function findCandidates(): Promise<Candidates> {
  const find = async (pattern: string) => (await vscode.workspace.findFiles(pattern, elsewhere, mostFiles)).map(({ fsPath }) => fsPath);
  const [onnx, tables, images] = await Promise.all([
    find('**/*.onnx'),
    find('**/*.{csv,tsv,tab,jsonl,ndjson,parquet}'),
    find('**/*.{png,jpg,jpeg,webp,bmp,gif,tif,tiff,avif}'),
  ]);
  return { checkpoints: checkpointsOf(onnx), tables: [...tables, ...classFoldersOf(images)] };
}

function stepsOf({ viewer, log }: Pick<Context, 'viewer' | 'log'>, found: Candidates): Step<Draft>[] {
  const failed = (error: unknown) => showError(log, error);
  const columnStep = (role: 'image' | 'label' | 'caption', placeholder: (draft: Draft) => string, needed: (draft: Draft) => boolean, of: (draft: Draft) => readonly string[]): Step<Draft> => ({
    needed,
    ask: (draft, at) =>
      pick(at, {
        placeholder: placeholder(draft),
        items: of(draft).filter((name) => role === 'image' || name !== draft.image).map((name) => ({ label: plain(name), value: name })),
        accept: (name) => ({ ...draft, [role]: name }),
        failed,
      }),
  });
  return [
    {
      needed: ({ checkpoint }) => checkpoint === undefined,
      ask: (draft, at) =>
        pick(at, {
          placeholder: vscode.l10n.t('The checkpoint to look at'),
          items: [...found.checkpoints.map((path) => fileItem(path, path.endsWith('.onnx') ? 'file' : 'folder')), separator, ...browse('checkpoint')],
          accept: (checkpoint) => ({ ...draft, checkpoint }),
          failed,
        }),
    },
    {
      needed: ({ validation }) => validation === undefined,
      ask: (draft, at) =>
        pick(at, {
          placeholder: vscode.l10n.t('Images with their true labels, which the model was not trained on'),
          items: [...rankTables(found.tables, draft.checkpoint!, 'validation').map((path) => tableItem(path)), separator, ...browse('table')],
          accept: async (validation, signal) => {
            const columns = await viewer.api.tableColumns({ source: validation }, { signal });
            // A folder per class has no columns; the names are then not used.
            const { image, label } = guessColumns(columns.length === 0 ? ['image', 'label'] : columns);
            return { ...draft, validation, columns, image, label };
          },
          failed,
        }),
    },
    columnStep('image', (draft) => vscode.l10n.t('The column of {0} with the image paths', shownPath(draft.validation!)), ({ image, columns }) => image === undefined && columns.length > 0, ({ columns }) => columns),
    columnStep('label', (draft) => vscode.l10n.t('The column of {0} with the class labels', shownPath(draft.validation!)), ({ label, columns }) => label === undefined && columns.length > 0, ({ columns }) => columns),
    {
      needed: ({ train }) => train === undefined,
      ask: (draft, at) =>
        pick(at, {
          placeholder: vscode.l10n.t('Images with captions to fine-tune on, if there are any'),
          items: [...trainItems(rankTables(found.tables.filter((path) => path !== draft.validation), draft.checkpoint!, 'train')), separator, ...(browse('train') as PickItem<string | null>[])],
          accept: async (train, signal) => {
            if (train === null) return { ...draft, train };
            const trainColumns = await viewer.api.tableColumns({ source: train }, { signal });
            requireImages(train, trainColumns, draft.image!);
            const { caption } = guessColumns(trainColumns);
            return { ...draft, train, trainColumns, ...(caption === undefined || caption === draft.image ? {} : { caption }) };
          },
          failed,
        }),
    },
    columnStep('caption', (draft) => vscode.l10n.t('The column of {0} with the captions', shownPath(draft.train!)), ({ train, caption }) => typeof train === 'string' && caption === undefined, ({ trainColumns }) => trainColumns),
    {
      needed: (draft) => draft.name === undefined && draft.validation !== undefined && existsSync(join(folderFor(draft as Complete), usualName)),
      ask: (draft, at) => {
        const folder = folderFor(draft as Complete);
        return input(at, {
          value: freeName(folder, basename(draft.checkpoint!, '.onnx')),
          prompt: vscode.l10n.t('{0} is already there; how shall the new config be called?', shownPath(join(folder, usualName))),
          wrong: (name) => {
            if (!/^[^/\\\p{C}]+\.ravl\.yaml$/u.test(name)) return vscode.l10n.t('A name that ends in .ravl.yaml, without folders.');
            return existsSync(join(folder, name)) ? vscode.l10n.t('{0} is already there, too.', name) : undefined;
          },
          accept: (name) => ({ ...draft, name }),
        });
      },
    },
  ];
}

const usualName = 'ravl.yaml';

function freeName(folder: string, stem: string): string {
  for (let i = 1; ; i++) {
    const name = `${stem}${i === 1 ? '' : `-${i}`}.ravl.yaml`;
    if (!existsSync(join(folder, name))) return name;
  }
}

/** The config lies where both the checkpoint and the images are reached from, in the workspace. */
function folderFor({ checkpoint, validation }: Complete): string {
  const top = [validation, checkpoint].map((path) => vscode.workspace.getWorkspaceFolder(vscode.Uri.file(path))?.uri.fsPath).find((path) => path !== undefined);
  return top === undefined ? dirname(validation) : commonFolder([checkpoint, validation], top);
}

async function write({ viewer }: Pick<Context, 'viewer'>, draft: Complete): Promise<vscode.Uri> {
  const { checkpoint, validation, train, image, label, caption, name = usualName } = draft;
  const folder = folderFor(draft);
  const labels = await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Reading the labels of {0}', basename(validation)) }, () =>
    viewer.api.tableLabels({ source: validation, image, label }),
  );
  const classes = [...new Set(labels)].sort();
  const fromFolder = (path: string): string => portable(relative(folder, path));
  const text = initialConfigFile({
    checkpoint: fromFolder(checkpoint),
    validation: fromFolder(validation),
    ...(typeof train === 'string' ? { train: fromFolder(train) } : {}),
    columns: { image, label, ...(caption === undefined ? {} : { caption }) },
    ...(classes.length <= mostClasses ? { classes } : {}),
  });
  const target = join(folder, name);
  await writeFile(target, text, { flag: 'wx' }).catch((error: unknown) => {
    throw systemCode(error) === 'EEXIST' ? configExists(target) : configNotWritten(target, error);
  });
  return vscode.Uri.file(target);
}

/** The images of both tables are found through the same column, and captions need one. */
function requireImages(table: string, columns: readonly string[], image: string): void {
  if (!columns.includes(image) || columns.length < 2) throw trainUnfit(shownPath(table), image, columns);
}

/** Forward slashes work on every system, and the file may travel. */
function portable(path: string): string {
  return path === '' ? '.' : isAbsolute(path) ? path : path.split(sep).join('/');
}

const separator: PickItem<never> = { label: '', kind: vscode.QuickPickItemKind.Separator };

/** The tables and the way past them: a table that is named as one to train on comes first, and is taken by Enter. */
function trainItems(paths: readonly string[]): PickItem<string | null>[] {
  const tables = paths.map((path): PickItem<string | null> => tableItem(path));
  const skip: PickItem<string | null> = { label: `$(debug-step-over) ${vscode.l10n.t('Skip')}`, description: vscode.l10n.t('only analyze; data.train can be added later'), value: null };
  return paths.length > 0 && /train/i.test(basename(paths[0]!)) ? [...tables, skip] : [skip, ...tables];
}

function browse(what: 'checkpoint' | 'table' | 'train'): PickItem<string>[] {
  const dialog = (label: string, options: vscode.OpenDialogOptions): PickItem<string> => ({
    label: `$(folder-opened) ${label}`,
    alwaysShow: true,
    dialog: async () => (await vscode.window.showOpenDialog(options))?.[0]?.fsPath,
  });
  if (what === 'checkpoint') {
    return [
      dialog(vscode.l10n.t('Browse for a checkpoint folder…'), { canSelectFiles: false, canSelectFolders: true }),
      dialog(vscode.l10n.t('Browse for an .onnx file…'), { filters: { ONNX: ['onnx'] } }),
    ];
  }
  const table = dialog(vscode.l10n.t('Browse for a table…'), { filters: { [vscode.l10n.t('Tables')]: ['csv', 'tsv', 'tab', 'jsonl', 'ndjson', 'parquet'] } });
  return what === 'train' ? [table] : [table, dialog(vscode.l10n.t('Browse for a folder with a folder per class…'), { canSelectFiles: false, canSelectFolders: true })];
}

function fileItem(path: string, icon: string, description?: string): PickItem<string> {
  return { label: `$(${icon}) ${shownPath(path)}`, value: path, ...(description === undefined ? {} : { description }) };
}

const tableItem = (path: string): PickItem<string> =>
  extname(path) === '' ? fileItem(path, 'folder', vscode.l10n.t('a folder per class')) : fileItem(path, 'table');

const shownPath = (path: string): string => plain(vscode.workspace.asRelativePath(path));

/** A name as text: no icons, no characters that hide or turn what follows. */
const plain = (name: string): string => shown(name, 120).replaceAll('$(', '\\$(');
