import { RavlError, systemCode } from '../../shared/errors';
import { nearest } from '../../shared/nearest';

/** One factory per error code of this room; see RavlError. `file` is a path as the person wrote it or an absolute one. */

export function tableMissing(file: string, cause: unknown): RavlError {
  const reason = systemCode(cause) === 'ENOENT' ? 'does not exist' : `cannot be read (${systemCode(cause) ?? 'unknown reason'})`;
  return new RavlError('dataset-table-missing', `The data set ${file} ${reason}.`, 'Check the path in ravl.yaml; paths are relative to that file.', {
    cause,
  });
}

export function tableFormat(file: string): RavlError {
  return new RavlError(
    'dataset-table-format',
    `${file} is not a kind of table RaVL reads.`,
    'Give a .csv, .tsv, .jsonl or .parquet file, or a folder with a folder of images per class.',
  );
}

export function tableBroken(file: string, row: number | null, problem: string, hint: string, cause?: unknown): RavlError {
  const place = row === null ? file : `${file}, row ${row},`;
  return new RavlError('dataset-table-broken', `${place} ${problem}.`, hint, { cause });
}

export function tableEmpty(file: string, problem = 'has no rows'): RavlError {
  return new RavlError('dataset-table-empty', `${file} ${problem}.`, 'Give a table with one row an image.');
}

export function columnMissing(file: string, role: string, column: string, columns: readonly string[], hint?: string): RavlError {
  const match = nearest(column, columns);
  const there = columns.length === 0 ? 'it has no columns' : `its columns are ${listed(columns)}`;
  return new RavlError(
    'dataset-column-missing',
    `${file} has no column "${column}" for the ${role}; ${there}.`,
    hint ?? `Set data.columns.${role} in ravl.yaml${match === undefined ? '' : `; did you mean "${match}"?`}`,
  );
}

export function columnTwice(file: string, column: string): RavlError {
  return new RavlError('dataset-column-twice', `${file} has more than one column "${column}".`, 'Rename or remove all but one of them.');
}

export function cellMissing(file: string, row: number, role: string, column: string): RavlError {
  return new RavlError(
    'dataset-cell-missing',
    `${file}, row ${row}, has nothing in column "${column}" for the ${role}.`,
    `Fill the cell in or remove the row.`,
  );
}

export function cellKind(file: string, row: number, column: string, problem: string, hint: string): RavlError {
  return new RavlError('dataset-cell-kind', `${file}, row ${row}, column "${column}": ${problem}.`, hint);
}

export function linkOutside(file: string, root: string): RavlError {
  return new RavlError(
    'dataset-link-outside',
    `${file} is a link that leads out of the data set ${root}.`,
    'Copy what it points to into the folder, or list the images in a table.',
  );
}

export function labelUnknown(file: string, row: number, label: string, classes: readonly string[]): RavlError {
  const match = nearest(label, classes);
  return new RavlError(
    'dataset-label-unknown',
    `${file}, row ${row}, has the label ${quoted(label)}, which is none of the ${classes.length} classes.`,
    match === undefined ? 'Add it to classes in ravl.yaml or correct the row.' : `Did you mean "${match}"? Otherwise add it to classes in ravl.yaml.`,
  );
}

export function classesTooFew(file: string, classes: readonly string[]): RavlError {
  return new RavlError(
    'dataset-one-class',
    classes.length === 1 ? `${file} has the single class ${quoted(classes[0]!)}.` : `${file} has no classes.`,
    'Zero-shot classification needs at least two; check data.columns.label and classes in ravl.yaml.',
  );
}

export function classTwice(label: string): RavlError {
  return new RavlError('dataset-class-twice', `The class ${quoted(label)} is listed twice.`, 'Remove one of the two from classes in ravl.yaml.');
}

/** A box that is no box, or lies outside its image. `place` names the file and row or annotation. */
export function boxInvalid(place: string, problem: string): RavlError {
  return new RavlError(
    'dataset-box-invalid',
    `${place}: ${problem}.`,
    'A box is [x, y, width, height] in pixels of the upright image, origin top left, and overlaps the image.',
  );
}

export function boxesMissing(file: string): RavlError {
  return new RavlError(
    'dataset-boxes-missing',
    `No image of ${file} has a box.`,
    'Set data.columns.boxes or data.coco in ravl.yaml, or choose another kind of regions.',
  );
}

export function cocoBroken(file: string, problem: string, cause?: unknown): RavlError {
  return new RavlError('dataset-coco-broken', `${file} is not a COCO file RaVL can use: ${problem}.`, 'Check data.coco in ravl.yaml.', { cause });
}

export function imageMissing(file: string, cause: unknown): RavlError {
  return new RavlError('dataset-image-missing', `The image ${file} does not exist.`, 'Image paths are relative to the table that lists them.', {
    cause,
  });
}

export function imageUnreadable(file: string, problem: string, cause?: unknown): RavlError {
  return new RavlError('dataset-image-unreadable', `The image ${file} ${problem}.`, 'Replace the file, or skip such images with --skip-unreadable.', {
    cause,
  });
}

export function imageTooLarge(file: string, pixelLimit: number, cause?: unknown): RavlError {
  return new RavlError(
    'dataset-image-too-large',
    `The image ${file} has more than ${pixelLimit / 1e6} megapixels.`,
    'Scale it down, or skip such images with --skip-unreadable.',
    { cause },
  );
}

export function preprocessingSize(problem: string): RavlError {
  return new RavlError(
    'dataset-preprocessing-size',
    `The preprocessing ${problem}.`,
    "Give it a crop or a padding of the encoder's image size.",
  );
}

export function detectorUnusable(file: string, problem: string, hint: string): RavlError {
  return new RavlError('dataset-detector-unusable', `The proposal model ${file} ${problem}.`, hint);
}

/** True for the errors that concern one image and can be skipped. */
export function isImageError(error: unknown): error is RavlError {
  return error instanceof RavlError && error.code.startsWith('dataset-image-');
}

/** A value in quotes, shortened, so that a message stays a sentence. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 12).map(quoted).join(', ');
  return names.length > 12 ? `${shown} and ${names.length - 12} more` : shown;
}
