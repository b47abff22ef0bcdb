import { useState } from 'preact/hooks';
import type { RavlError } from '../shared/errors';
import type { PanelApi } from '../shared/panelApi';
import type { Client } from '../shared/rpc';
import { Button, type ButtonProps } from './controls';
import { problem, useHost } from './host';

/** Things a person asked the editor to do, and why the last one was refused. */
export function useActions() {
  const { api } = useHost();
  const [pending, setPending] = useState<string | null>(null);
  const [error, setError] = useState<RavlError | null>(null);
  const start = async (name: string, act: (api: Client<PanelApi>) => Promise<unknown>) => {
    setPending(name);
    setError(null);
    await act(api).catch((reason: unknown) => setError(problem(reason)));
    setPending(null);
  };
  return { pending, error, start };
}

export type Actions = ReturnType<typeof useActions>;

interface ActionProps extends Pick<ButtonProps, 'icon' | 'look' | 'title'> {
  readonly actions: Actions;
  readonly name: string;
  readonly act: (api: Client<PanelApi>) => Promise<unknown>;
}

/** A button that asks the editor for something and waits for the answer before it can be pressed again. */
export function ActionButton({ actions, name, act, ...look }: ActionProps) {
  return (
    <Button {...look} disabled={actions.pending === name} onClick={() => void actions.start(name, act)}>
      {name}
    </Button>
  );
}
