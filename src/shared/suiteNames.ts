/** The suites of `ravl benchmark`: what each is made of is said where they are made (src/engine/benchmark/suites.ts). */
export const suiteNames = ['quick', 'quick-mnist', 'paper', 'full'] as const;
export type SuiteName = (typeof suiteNames)[number];
