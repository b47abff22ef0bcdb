import * as vscode from 'vscode';

/** One question of a wizard. What was answered goes into a new state; the one before is kept for the way back. */
export interface Step<S> {
  /** Whether it has to be asked at all, after what was answered so far. */
  needed(state: S): boolean;
  ask(state: S, at: Counter): Promise<S | typeof back | undefined>;
}

/** What stands in a step's title bar. */
export interface Counter {
  readonly title: string;
  readonly step: number;
  readonly totalSteps: number;
  readonly canGoBack: boolean;
}

export const back = Symbol('back');

/** Asks one step after another; the Back button leads to the question before. Undefined once the person leaves. */
export async function runWizard<S>(title: string, steps: readonly Step<S>[], initial: S): Promise<S | undefined> {
  const asked: { readonly index: number; readonly state: S }[] = [];
  let [index, state] = [0, initial];
  while (index < steps.length) {
    if (!steps[index]!.needed(state)) {
      index++;
      continue;
    }
    const ahead = steps.slice(index).filter((step) => step.needed(state)).length;
    const answer = await steps[index]!.ask(state, { title, step: asked.length + 1, totalSteps: asked.length + ahead, canGoBack: asked.length > 0 });
    if (answer === undefined) return undefined;
    if (answer === back) {
      ({ index, state } = asked.pop()!);
    } else {
      asked.push({ index, state });
      [index, state] = [index + 1, answer];
    }
  }
  return state;
}

export interface PickItem<T> extends vscode.QuickPickItem {
  /** What is picked, or a dialog that asks for it (undefined once it is left); neither for a separator. */
  readonly value?: T;
  readonly dialog?: () => Thenable<T | undefined>;
}

interface Question<T, S> {
  readonly placeholder: string;
  readonly items: readonly PickItem<T>[];
  /** The state after an answer; meanwhile the pick is busy, and `signal` tells when the person left. What it throws goes to `failed`, and is asked again. */
  accept(value: T, signal: AbortSignal): Promise<S> | S;
  failed(error: unknown): unknown;
}

/** A step as a quick pick. */
export async function pick<T, S>(at: Counter, question: Question<T, S>): Promise<S | typeof back | undefined> {
  for (;;) {
    const answer = await pickOnce(at, question);
    if (answer === undefined || answer === back || 'state' in answer) return answer === undefined || answer === back ? answer : answer.state;
    // A dialog may take the place of the pick; afterwards the question is there again.
    const value = await answer.dialog();
    if (value === undefined) continue;
    try {
      return await question.accept(value, new AbortController().signal);
    } catch (error) {
      void question.failed(error);
    }
  }
}

async function pickOnce<T, S>(at: Counter, { placeholder, items, accept, failed }: Question<T, S>): Promise<{ state: S } | { dialog: () => Thenable<T | undefined> } | typeof back | undefined> {
  const quickPick = vscode.window.createQuickPick<PickItem<T>>();
  Object.assign(quickPick, { title: at.title, step: at.step, totalSteps: at.totalSteps, placeholder, items, matchOnDescription: true, ignoreFocusOut: true });
  if (at.canGoBack) quickPick.buttons = [vscode.QuickInputButtons.Back];
  const left = new AbortController();
  try {
    return await new Promise((resolve) => {
      quickPick.onDidTriggerButton(() => resolve(back));
      quickPick.onDidHide(() => resolve(undefined));
      quickPick.onDidAccept(async () => {
        const { value, dialog } = quickPick.selectedItems[0] ?? {};
        if (quickPick.busy) return;
        if (dialog) return resolve({ dialog });
        if (value === undefined) return;
        Object.assign(quickPick, { busy: true, enabled: false });
        try {
          resolve({ state: await accept(value, left.signal) });
        } catch (error) {
          if (!left.signal.aborted) void failed(error);
        }
        Object.assign(quickPick, { busy: false, enabled: true });
      });
      quickPick.show();
    });
  } finally {
    left.abort(new vscode.CancellationError());
    quickPick.dispose();
  }
}

/** A step as an input box; `wrong` says what is the matter with a text, or nothing. */
export async function input<S>(
  at: Counter,
  { value, prompt, wrong, accept }: { readonly value: string; readonly prompt: string; wrong(text: string): string | undefined; accept(text: string): S },
): Promise<S | typeof back | undefined> {
  const box = vscode.window.createInputBox();
  Object.assign(box, { title: at.title, step: at.step, totalSteps: at.totalSteps, value, prompt, ignoreFocusOut: true });
  if (at.canGoBack) box.buttons = [vscode.QuickInputButtons.Back];
  const check = (text: string) => Object.assign(box, { validationMessage: wrong(text) });
  check(value);
  try {
    return await new Promise<S | typeof back | undefined>((resolve) => {
      box.onDidTriggerButton(() => resolve(back));
      box.onDidHide(() => resolve(undefined));
      box.onDidChangeValue(check);
      box.onDidAccept(() => {
        if (wrong(box.value) === undefined) resolve(accept(box.value));
      });
      box.show();
    });
  } finally {
    box.dispose();
  }
}
