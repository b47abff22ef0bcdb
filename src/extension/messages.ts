import * as vscode from 'vscode';
import { RavlError } from '../shared/errors';

/** A button beside a message. */
export interface Action {
  readonly title: string;
  run(): unknown;
}

/** An error that brings its own buttons. */
export class ActionableError extends RavlError {
  constructor(
    error: RavlError,
    readonly actions: readonly Action[],
  ) {
    super(error.code, error.message, error.hint, { cause: error });
  }
}

/** Wraps a command: whatever it throws is shown as one sentence with what to do, and the command comes to nothing. */
export function guarded<A extends unknown[], R>(log: vscode.LogOutputChannel, work: (...args: A) => R | Promise<R>): (...args: A) => Promise<R | undefined> {
  return async (...args) => {
    try {
      return await work(...args);
    } catch (error) {
      // A command is over when its message is there, and not when the message is gone.
      void showError(log, error).catch((failure: unknown) => showError(log, failure));
      return undefined;
    }
  };
}

/** Shows an error with "Show Log" and further buttons. A cancellation is no error and shows nothing. */
export async function showError(log: vscode.LogOutputChannel, error: unknown, actions: readonly Action[] = []): Promise<void> {
  if (isCancellation(error)) return;
  log.error(error instanceof Error && !(error instanceof RavlError) ? error : sentence(error));
  const own = error instanceof ActionableError ? error.actions : [];
  await offer(vscode.window.showErrorMessage, sentence(error), [...own, ...actions, { title: vscode.l10n.t('Show Log'), run: () => log.show() }]);
}

/** Shows a message with buttons, and does what is clicked. */
export async function offer(show: typeof vscode.window.showInformationMessage, text: string, actions: readonly Action[]): Promise<void> {
  const clicked = await show(text, ...actions.map(({ title }) => title));
  await actions.find(({ title }) => title === clicked)?.run();
}

/** Message and hint; of a defect, no stack. */
export function sentence(error: unknown): string {
  if (error instanceof RavlError) return error.hint ? `${error.message} ${error.hint}` : error.message;
  return vscode.l10n.t('RaVL ran into a defect of its own: {0}', error instanceof Error ? error.message : String(error));
}

export const isCancellation = (error: unknown): boolean =>
  error instanceof vscode.CancellationError || (error instanceof Error && error.name === 'AbortError') || (error instanceof RavlError && error.code === 'cancelled');
