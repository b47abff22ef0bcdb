import { useEffect, useState } from 'preact/hooks';
import type { Verdict, Verdicts } from '../../shared/verdicts';
import type { RavlError } from '../../shared/errors';
import { problem, useHost } from '../host';

export interface VerdictsInUse {
  readonly all: Verdicts;
  readonly error: RavlError | null;
  /** Shows the verdict at once and stores it with the run; where that fails, the old one is back. */
  set(cluster: number, verdict: Verdict): void;
}

export const noVerdict: Verdict = { verdict: null, note: '' };

export function useVerdicts(stored: Verdicts): VerdictsInUse {
  const { api } = useHost();
  const [all, setAll] = useState(stored);
  const [error, setError] = useState<RavlError | null>(null);
  useEffect(() => setAll(stored), [stored]);
  const set = (cluster: number, verdict: Verdict) => {
    const before = all;
    setAll({ ...all, clusters: { ...all.clusters, [cluster]: verdict } });
    api.setVerdict({ cluster, ...verdict }).then(
      (now) => {
        setAll(now);
        setError(null);
      },
      (reason: unknown) => {
        setAll(before);
        setError(problem(reason));
      },
    );
  };
  return { all, error, set };
}
