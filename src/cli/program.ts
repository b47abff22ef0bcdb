import { Command, CommanderError } from 'commander';
import type { EventEmitter } from 'node:events';
import { configKeys } from '../shared/configDocs';
import type { RavlError } from '../shared/errors';
import { type AnalyzeOptions, analyzeCommand } from './analyze';
import type { Engine } from './engine';
import { usageInvalid } from './errors';
import { exitCodeOf, exitCodes, exitCodesHelp } from './exitCodes';
import { failureJson, failureText } from './failure';
import { type InitOptions, initCommand } from './init';
import { inspectCommand } from './inspect';
import type { Terminal } from './terminal';

/**
 * Runs one command line. Never throws: what goes wrong is written (with `--json` to stdout as one object, otherwise to
 * stderr) and turned into the exit code.
 *
 * @param argv the arguments after the program's name
 * @param signals where SIGINT and SIGTERM arrive
 */
export async function runCommandLine(argv: readonly string[], version: string, terminal: Terminal, engine: Engine, signals: EventEmitter): Promise<number> {
  const json = argv.includes('--json');
  try {
    await program(version, terminal, engine, signals, json).parseAsync([...argv], { from: 'user' });
    return exitCodes.done;
  } catch (thrown) {
    const error = thrown instanceof CommanderError ? usageError(thrown) : thrown;
    if (error === 'shown') return exitCodes.done;
    if (json) terminal.stdout.write(`${JSON.stringify({ error: await failureJson(error) })}\n`);
    else terminal.stderr.write(await failureText(error));
    return exitCodeOf(error);
  }
}

function program(version: string, terminal: Terminal, engine: Engine, signals: EventEmitter, json: boolean): Command {
  const ravl = new Command('ravl')
    .description('Finds the image regions that make a fine-tuned vision-language model (CLIP and its kin) wrong.')
    .version(version, '--version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      // With --json nothing but the error object may be printed; otherwise failure() prints the sentence.
      writeErr: (text) => (json ? undefined : terminal.stderr.write(text)),
      outputError: () => undefined,
      getOutHelpWidth: () => Math.min(100, terminal.stdout.columns ?? 100),
      getErrHelpWidth: () => Math.min(100, terminal.stderr.columns ?? 100),
    })
    .addHelpText('after', `\n${exitCodesHelp}`);

  ravl
    .command('analyze')
    .description('find the spurious features of a checkpoint')
    .argument('<checkpoint|config>', 'a ravl.yaml, or a checkpoint: a folder in the Hugging Face layout or an .onnx file')
    .option('--validation <table>', 'labelled images: CSV, TSV, JSONL, Parquet, or a folder with a folder per class')
    .option('--prompt <template>', 'prompt with {} for the class name; give it again for an ensemble', repeated)
    .option('--class <name>', 'a class name; give it again for each class (default: the labels that occur)', repeated)
    .option('--grid <rows x columns>', 'cut images into a grid of regions, such as 2x2')
    .option('--mode <mode>', `how regions are embedded: ${choices('embedding.mode')}`)
    .option('--device <device>', `where inference runs: ${choices('device')}`)
    .option('--seed <number>', 'seed of everything random')
    .option('--out <folder>', "folder in which .ravl/runs is made (default: the config's folder, or the current one)")
    .option('--skip-unreadable', 'leave out images that cannot be read instead of stopping')
    .option('--fresh', 'start anew instead of resuming an unfinished run')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText('after', `\nOptions win over the config. Progress goes to stderr, the result to stdout.\n\n${exitCodesHelp}`)
    .action((target: string, options: AnalyzeOptions) => analyzeCommand(target, options, terminal, engine, signals));

  ravl
    .command('inspect')
    .description('show what is found in a checkpoint')
    .argument('<checkpoint|config>', 'a checkpoint, or a ravl.yaml that names one')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .action((target: string, options: { json?: boolean }) => inspectCommand(target, options, terminal, engine));

  ravl
    .command('init')
    .description('write a commented ravl.yaml for a checkpoint and a table')
    .argument('<checkpoint>', 'a folder in the Hugging Face layout, or an .onnx file')
    .argument('<table>', 'labelled images: CSV, TSV, JSONL, Parquet, or a folder with a folder per class')
    .option('-o, --output <file>', 'where to write', 'ravl.yaml')
    .option('--image <column>', 'column with the image paths (default: told from the names)')
    .option('--label <column>', 'column with the class labels (default: told from the names)')
    .option('--force', 'overwrite a file that is already there')
    .action((checkpoint: string, table: string, options: InitOptions) => initCommand(checkpoint, table, options, terminal, engine));

  return ravl;
}

function repeated(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function choices(path: string): string {
  return configKeys().find((key) => key.path === path)!.type.replaceAll('`', '');
}

function usageError(error: CommanderError): RavlError | 'shown' {
  if (error.exitCode === 0) return 'shown';
  if (error.code === 'commander.help') return usageInvalid('No command is given.');
  const [sentence, ...rest] = error.message.replace(/^error: /, '').split('\n');
  return usageInvalid([`${sentence!.charAt(0).toUpperCase()}${sentence!.slice(1)}.`, ...rest].join(' '));
}
