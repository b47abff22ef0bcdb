import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RavlError } from '../shared/errors';
import { isInterruption } from './exitCodes';
import { plain } from './text';

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** Anything thrown, as a person reads it. */
export async function failureText(error: unknown): Promise<string> {
  const { message, hint } = await failure(error);
  // File names and labels in a message are data: no control characters reach the terminal.
  const lines = [...message.split('\n'), ...(hint ? [`  ${hint}`] : [])].map((line) => line.replace(/\S.*/s, (text) => plain(text)));
  return `${isInterruption(error) ? '' : 'Error: '}${lines.join('\n')}\n`;
}

/** Anything thrown, as `--json` prints it under `error`. */
export async function failureJson(error: unknown): Promise<Failure> {
  return failure(error);
}

async function failure(error: unknown): Promise<Failure> {
  if (isInterruption(error)) return { code: 'interrupted', message: 'Interrupted.', hint: 'Run the same command again to resume.' };
  if (error instanceof RavlError) return { code: error.code, message: error.message, hint: error.hint };
  const log = await writeLog(error);
  const what = error instanceof Error ? error.message : String(error);
  return {
    code: 'internal',
    message: `Internal error, a defect in RaVL: ${what.split('\n')[0]!}`,
    hint: log === undefined ? 'Please report it.' : `Please report it with the log ${log}.`,
  };
}

/** The stack trace goes to a file of its own: it helps who mends the defect and nobody else. */
async function writeLog(error: unknown): Promise<string | undefined> {
  const file = join(tmpdir(), `ravl-error-${process.pid}-${Date.now()}.log`);
  const text = error instanceof Error ? `${error.stack ?? error.message}\n${error.cause === undefined ? '' : `Caused by: ${String(error.cause)}\n`}` : String(error);
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600 });
    return file;
  } catch {
    return undefined;
  }
}
