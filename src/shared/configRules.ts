import type { Config } from './config';
import { type ValueIssue, written } from './configIssues';

/**
 * What the schema cannot say: keys that contradict each other. Nothing here looks at the disk.
 *
 * @param label how messages name a path
 */
export function contradictions(config: Config, label: (path: readonly PropertyKey[]) => string): ValueIssue[] {
  const issues: ValueIssue[] = [];
  const add = (severity: ValueIssue['severity'], path: readonly PropertyKey[], message: string): void => {
    issues.push({ path, at: 'value', severity, message });
  };
  const { data, regions, discovery, classes, prompts, checkpoint } = config;
  const { min, max } = discovery.clusters;

  if (typeof checkpoint === 'object') {
    const name = label(['checkpoint']);
    const { model, vision, text } = checkpoint;
    if (!model && !vision && !text) add('error', ['checkpoint'], `${name} names no model; give it model (one merged file), or vision and text.`);
    else if (!model && !text) add('error', ['checkpoint'], `${name} names an image encoder only; add text, the text encoder's file.`);
    else if (!model && !vision) add('error', ['checkpoint'], `${name} names a text encoder only; add vision, the image encoder's file.`);
    if (model && vision && text) add('warning', ['checkpoint', 'model'], `${label(['checkpoint', 'model'])} is not used while vision and text are given; remove it.`);
    if (checkpoint.preprocessor && checkpoint.preprocessing) {
      add('error', ['checkpoint', 'preprocessing'], `${label(['checkpoint', 'preprocessing'])} and preprocessor say the same thing twice; keep one.`);
    }
  }
  if (data.columns.boxes !== undefined && data.coco !== undefined) {
    add('error', ['data', 'coco'], `${label(['data', 'coco'])} and ${label(['data', 'columns', 'boxes'])} both give boxes; keep one.`);
  }
  const hasBoxes = data.columns.boxes !== undefined || data.coco !== undefined;
  if (regions.kind === 'boxes' && !hasBoxes) {
    add('error', ['regions', 'kind'], `${label(['regions', 'kind'])} is boxes, and the data has none; add data.columns.boxes or data.coco.`);
  }
  if (regions.kind !== 'boxes' && hasBoxes) {
    const path = data.coco === undefined ? ['data', 'columns', 'boxes'] : ['data', 'coco'];
    add('warning', path, `${label(path)} is not used while ${label(['regions', 'kind'])} is ${regions.kind}; set it to boxes, or remove this key.`);
  }
  if (data.columns.image === data.columns.label) {
    add('error', ['data', 'columns', 'label'], `${label(['data', 'columns', 'label'])} and image name the same column; name the column with the class.`);
  }
  if (data.train === data.validation) {
    add('warning', ['data', 'train'], `${label(['data', 'train'])} is also the validation data; weaknesses show on images the model has not seen.`);
  }
  if (min !== undefined && max !== undefined && max < min) {
    const path = ['discovery', 'clusters', 'max'];
    add('error', path, `${label(path)} is ${max}, below min, which is ${min}; make it at least ${min}.`);
  }
  for (const [key, values] of Object.entries({ classes: classes ?? [], prompts })) {
    const first = new Map<string, number>();
    values.forEach((value, index) => {
      const entry = first.get(value);
      if (entry === undefined) first.set(value, index + 1);
      else add('error', [key, index], `${label([key, index])} repeats entry ${entry}, ${written(value)}; remove one.`);
    });
  }
  return issues;
}
