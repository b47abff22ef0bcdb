import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { RavlError } from '../../shared/errors';
import type { TrainingView } from '../../shared/runQueries';
import { problem, useHost } from '../host';
import { merged, type Training } from './lines';

/** The run and all its lines so far. `again` asks for what was added; while an answer is awaited, any number of calls are one more question. */
export function useTraining(): { readonly training: Training | null; readonly error: RavlError | null; again(): void } {
  const { api } = useHost();
  const [state, setState] = useState<{ training: Training | null; error: RavlError | null }>({ training: null, error: null });
  const asking = useRef({ busy: false, more: false, gone: false, view: null as TrainingView | null });

  const again = useCallback(() => {
    const now = asking.current;
    if (now.busy) {
      now.more = true;
      return;
    }
    now.busy = true;
    api
      .training({ from: now.view?.next ?? 0 })
      .then(
        (view) => {
          now.view = { ...view, lines: merged(now.view?.lines ?? [], view) };
          if (!now.gone) setState({ training: now.view, error: null });
        },
        (reason: unknown) => !now.gone && setState(({ training }) => ({ training, error: problem(reason) })),
      )
      .finally(() => {
        now.busy = false;
        if (now.more && !now.gone) {
          now.more = false;
          again();
        }
      });
  }, [api]);

  useEffect(() => {
    asking.current.gone = false;
    again();
    return () => void (asking.current.gone = true);
  }, [again]);
  return { ...state, again };
}
