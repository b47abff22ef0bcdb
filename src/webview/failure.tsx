import type { RavlError } from '../shared/errors';
import { Button } from './controls';
import { sentence } from './host';

/** What went wrong in one sentence, what to do, and a button to try again. */
export function Failure({ error, again }: { readonly error: RavlError; readonly again?: () => void }) {
  return (
    <div class="failure" role="alert">
      <span class="codicon codicon-error" aria-hidden="true" />
      <span>
        <bdi>{sentence(error).slice(0, 2000)}</bdi>
      </span>
      {again && (
        <Button icon="refresh" onClick={again}>
          Retry
        </Button>
      )}
    </div>
  );
}
