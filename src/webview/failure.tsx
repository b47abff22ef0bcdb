import type { RavlError } from '../shared/errors';
import { Button } from './controls';
import { sentence, useHost } from './host';

/** What went wrong in one sentence, what to do, and buttons to try again and to look closer. */
export function Failure({ error, again }: { readonly error: RavlError; readonly again?: () => void }) {
  const { api } = useHost();
  return (
    <div class="failure" role="alert">
      <span class="codicon codicon-error" aria-hidden="true" />
      <span class="grow">
        <bdi>{sentence(error).slice(0, 2000)}</bdi>
      </span>
      {again && (
        <Button icon="refresh" onClick={again}>
          Retry
        </Button>
      )}
      <Button icon="output" onClick={() => void api.showLog({}).catch(() => undefined)}>
        Show log
      </Button>
    </div>
  );
}
