import { useState } from 'preact/hooks';
import type { RavlError } from '../../shared/errors';
import { listed, percent } from '../../shared/format';
import type { ImageView, WhatIf } from '../../shared/runQueries';
import { shown } from '../../shared/words';
import { Button, ProgressRing } from '../controls';
import { Failure } from '../failure';
import { problem, useHost } from '../host';
import type { Region } from './regions';
import { topScores, whatIfInWords } from './words';

interface WhatIfProps {
  readonly view: ImageView;
  readonly classes: readonly string[];
  readonly masked: readonly Region[];
  readonly onClear: () => void;
}

/** Runs the model again with the masked regions painted over. Other masks make another box: an answer never stands beside a mask it is not about. */
export function WhatIfBox({ view, classes, masked, onClear }: WhatIfProps) {
  const { api } = useHost();
  const [answer, setAnswer] = useState<{ value?: WhatIf; error?: RavlError; waiting?: boolean }>({});
  const ask = () => {
    setAnswer({ waiting: true });
    api.whatIf({ image: view.image, regions: masked.map(({ id }) => id) }).then(
      (value) => setAnswer({ value }),
      (reason: unknown) => setAnswer({ error: problem(reason) }),
    );
  };
  const places = listed(masked.map(({ place }) => String(place)));
  return (
    <section class="what-if" aria-label="What if">
      <div class="row">
        <Button look="primary" icon="beaker" disabled={masked.length === 0 || answer.waiting === true} title="Paint the masked regions over in the mean colour and predict again" onClick={ask}>
          What if
        </Button>
        {masked.length > 0 && (
          <Button icon="clear-all" onClick={onClear}>
            Unmask all
          </Button>
        )}
        <span class="muted">{masked.length === 0 ? 'Mask regions to see the prediction without them.' : `Without ${masked.length === 1 ? 'region' : 'regions'} ${places}`}</span>
        {answer.waiting && <ProgressRing label="The model looks again" />}
      </div>
      <div role="status">
        {answer.error && <Failure error={answer.error} again={ask} />}
        {answer.value && <Answer answer={answer.value} label={view.label} classes={classes} />}
      </div>
    </section>
  );
}

function Answer({ answer, label, classes }: { readonly answer: WhatIf; readonly label: string; readonly classes: readonly string[] }) {
  const changed = answer.before.predicted !== answer.after.predicted;
  const icon = answer.after.predicted === label ? 'pass' : 'error';
  return (
    <>
      <p class="what-if-answer">
        <span class={`codicon codicon-${icon} ${icon}`} aria-hidden="true" /> <bdi class={changed ? 'strong' : ''}>{whatIfInWords(answer, label)}</bdi>
      </p>
      <table class="scores">
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col">
              <span class="spoken">Bars</span>
            </th>
            <th scope="col" class="number">
              <Key class="score-before" /> Before
            </th>
            <th scope="col" class="number">
              <Key class="score-after" /> After
            </th>
          </tr>
        </thead>
        <tbody>
          {topScores(answer, 5).map(({ index, before, after }) => (
            <tr key={index}>
              <th scope="row">
                <bdi>{shown(classes[index] ?? '', 40)}</bdi>
                {classes[index] === label && <span class="muted small"> label</span>}
              </th>
              <td class="scores-plot">
                <svg aria-hidden="true">
                  <rect class="score-before" x="0" y="2" height="5" width={percent(before)} />
                  <rect class="score-after" x="0" y="9" height="7" width={percent(after)} />
                </svg>
              </td>
              <td class="number muted">{percent(before)}</td>
              <td class="number">{percent(after)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

const Key = (look: { readonly class: string }) => (
  <svg class="scores-key" aria-hidden="true">
    <rect {...look} width="14" height="8" />
  </svg>
);
