import { existsSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { writeFileAtomically } from '../engine/run/atomic';
import { parseConfig } from '../shared/configFile';
import { guessColumns } from '../shared/guessColumns';
import { initialConfigFile, mostClasses } from '../shared/initFile';
import type { Engine } from './engine';
import { columnUnknown, configExists, usageInvalid } from './errors';
import type { Terminal } from './terminal';
import { count, plain } from './text';

export interface InitOptions {
  readonly output: string;
  readonly image?: string;
  readonly label?: string;
  readonly force?: boolean;
}

/** `ravl init`: writes a commented ravl.yaml for a checkpoint and a table. */
export async function initCommand(checkpoint: string, table: string, options: InitOptions, terminal: Terminal, engine: Engine): Promise<void> {
  const output = resolve(terminal.cwd, options.output);
  if (!options.force && existsSync(output)) throw configExists(options.output);
  const [checkpointPath, tablePath] = [resolve(terminal.cwd, checkpoint), resolve(terminal.cwd, table)];
  if (!existsSync(checkpointPath)) throw usageInvalid(`There is no checkpoint at ${checkpoint}.`);

  const names = await engine.tableColumns(tablePath);
  const columns = { ...guessColumns(names), ...given('image', options.image), ...given('label', options.label) };
  // A folder per class has no columns; the names are then not used.
  const { image = names.length === 0 ? 'image' : undefined, label = names.length === 0 ? 'label' : undefined, caption, boxes } = columns;
  if (image === undefined) throw columnUnknown(table, 'image paths', '--image', names);
  if (label === undefined) throw columnUnknown(table, 'class labels', '--label', names);
  const labels = [...new Set(await engine.tableLabels(tablePath, { image, label }))].sort();

  const fromOutput = (path: string): string => portable(relative(dirname(output), path));
  const text = initialConfigFile({
    checkpoint: fromOutput(checkpointPath),
    validation: fromOutput(tablePath),
    columns: { image, label, ...given('caption', caption), ...given('boxes', boxes) },
    ...(labels.length <= mostClasses ? { classes: labels } : {}),
  });
  const { config, issues } = parseConfig(text, options.output);
  if (!config) throw new Error(`init wrote an invalid config: ${issues[0]!.message}`);
  await writeFileAtomically(output, text);
  const shown = plain(options.output);
  const described = names.length === 0 ? '' : `, images in ${plain(image, 40)}, labels in ${plain(label, 40)}`;
  terminal.stdout.write(`Wrote ${shown}: ${count(labels.length)} classes${described}.\nNext: ravl analyze ${shown}\n`);
}

/** Forward slashes work on every system, and the file may travel. */
function portable(path: string): string {
  return path === '' ? '.' : isAbsolute(path) ? path : path.split(sep).join('/');
}

function given<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, string>);
}
