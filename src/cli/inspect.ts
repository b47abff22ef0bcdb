import type { CheckpointDescription, EncoderDescription } from '../engine/checkpoint/describe';
import type { Preprocessing } from '../shared/preprocessing';
import type { Engine } from './engine';
import { readCheckpoint } from './settings';
import type { Terminal } from './terminal';
import { aligned, bytes, count, plain } from './text';

/** `ravl inspect`: what was found in a checkpoint, given as for `ravl analyze`. */
export async function inspectCommand(target: string, options: { readonly json?: boolean }, terminal: Terminal, engine: Engine): Promise<void> {
  const { checkpoint, baseDir } = await readCheckpoint(target, terminal.cwd);
  const description = await engine.inspect(checkpoint, baseDir);
  terminal.stdout.write(options.json ? `${JSON.stringify(description)}\n` : descriptionText(description));
}

/** The description as aligned text. */
export function descriptionText(description: CheckpointDescription): string {
  const { image, text, tokenizer, logitScale, files, notes } = description;
  const length = tokenizer.fixedLength === null ? `up to ${tokenizer.maxLength === null ? 'any number of' : count(tokenizer.maxLength)}` : count(tokenizer.fixedLength);
  const facts = aligned(
    [
      ['Checkpoint', plain(description.name)],
      ['Embedding', `${count(description.dim)} values${logitScale === null ? '' : `, logit scale ${Number(logitScale.toPrecision(4))}`}`],
      ['Image encoder', `${familyNames[image.family]}, ${image.width} × ${image.height} pixels, ${encoderFacts(image)}`],
      ...encoderGraph(image),
      ['Text encoder', encoderFacts(text)],
      ...encoderGraph(text),
      ['Preprocessing', preprocessingText(description.preprocessing)],
      ['Tokenizer', `${plain(tokenizer.kind, 40)}, ${count(tokenizer.vocabulary)} tokens, ${length} a text, padded with ${tokenizer.padId}`],
    ],
    'll',
  );
  const fileRows = files.map(({ role, path, bytes: size, sha256 }) => [role, plain(path), bytes(size), sha256.slice(0, 12)]);
  const lines = [...facts, '', ...aligned([['file', 'path', 'size', 'sha-256'], ...fileRows], 'llrl')];
  if (notes.length > 0) lines.push('', ...notes.map((note) => `Note: ${plain(note)}`));
  return `${lines.join('\n')}\n`;
}

const familyNames: Readonly<Record<CheckpointDescription['image']['family'], string>> = {
  cnn: 'CNN',
  vit: 'vision transformer',
  'cnn with attention pooling': 'CNN with attention pooling',
  unknown: 'unknown family',
};

function encoderFacts({ parameters, dtype, nodes, opset, producer, quantized, externalData, normalised }: EncoderDescription): string {
  return [
    `${count(parameters)} parameters`,
    dtype,
    `${count(nodes)} nodes`,
    `opset ${opset}`,
    ...(producer ? [plain(producer, 40)] : []),
    ...(quantized ? ['quantized'] : []),
    ...(externalData ? ['external data'] : []),
    ...(normalised ? ['L2-normalised'] : []),
  ].join(', ');
}

function encoderGraph({ inputs, output }: EncoderDescription): string[][] {
  return [...inputs.map((input) => ['  input', valueText(input)]), ['  output', valueText(output)]];
}

function valueText({ name, dtype, dims }: EncoderDescription['output']): string {
  return `${plain(name, 60)}  ${dtype} [${(dims ?? ['?']).map((dim) => plain(String(dim), 24)).join(', ')}]`;
}

/** The steps in their order: `shortest edge to 224 (bicubic), centre crop 224 × 224, × 0.003922, mean …, std …`. */
function preprocessingText({ resize, filter, crop, pad, rescale, mean, std }: Preprocessing): string {
  const steps: string[] = [];
  if (resize.rule === 'exact') steps.push(`resize to ${resize.width} × ${resize.height} (${filter})`);
  else if (resize.rule !== 'none') steps.push(`${resize.rule.replace('-', ' ')} to ${resize.size} (${filter})`);
  if (crop) steps.push(`centre crop ${crop.width} × ${crop.height}`);
  if (pad) steps.push(`pad to ${pad.width} × ${pad.height} with ${pad.value} (${pad.position})`);
  const rounded = (values: readonly number[]): string => values.map((value) => Number(value.toPrecision(4))).join(' ');
  return [...steps, `× ${rounded([rescale])}`, `mean ${rounded(mean)}`, `std ${rounded(std)}`].join(', ');
}
