import { setTimeout as sleep } from 'node:timers/promises';

export const patience = 90_000;

/** Asks again and again until the answer is neither undefined, null nor false; says what it waited for when it never is. */
export async function until<T>(what: string, ask: () => T | Promise<T>, milliseconds = patience, pause = 100): Promise<Exclude<T, undefined | null | false>> {
  const end = Date.now() + milliseconds;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== null && answer !== false) return answer as Exclude<T, undefined | null | false>;
    if (Date.now() > end) throw new Error(`Waited ${milliseconds / 1000} s in vain for ${what}.`);
    await sleep(pause);
  }
}
