import { useState } from 'preact/hooks';
import type { EpochMetrics } from '../../shared/comparison';
import { counted, percent } from '../../shared/format';
import { duration } from '../../shared/pace';
import type { Live, PanelStart } from '../../shared/panelApi';
import type { RunSummary } from '../../shared/runSummary';
import { shown } from '../../shared/words';
import { ActionButton, useActions } from '../action';
import { Curves } from '../charts/Curves';
import { ProgressRing } from '../controls';
import { Failure } from '../failure';
import { useEvent } from '../host';
import { curvesOf } from './curves';
import type { Training } from './lines';
import './training.css';
import { useTraining } from './useTraining';
import { groupInWords, patienceInWords, stateInWords, warningsOf } from './words';

/** A fine-tuning run as it goes: where it is, how it does, what to worry about, and what can be done. */
export function TrainingPanel({ start }: { readonly start: PanelStart }) {
  const [live, setLive] = useState<Live | null>(start.live);
  const { training, error, again } = useTraining();
  useEvent('live', (event) => {
    setLive(event.live);
    again();
  });
  useEvent('runChanged', again);
  if (!training) return error ? <Failure error={error} again={again} /> : <ProgressRing label="Reading the training" />;
  return (
    <main class="training">
      {error && <Failure error={error} again={again} />}
      <Head training={training} live={live} />
      <Warnings training={training} />
      <Figures training={training} />
      <Charts training={training} />
    </main>
  );
}

const icons: Readonly<Record<RunSummary['state'], string>> = { running: 'sync', interrupted: 'debug-pause', failed: 'error', complete: 'pass' };

function Head({ training, live }: { readonly training: Training; readonly live: Live | null }) {
  const { run, config } = training;
  const actions = useActions();
  const running = run.state === 'running';
  const progress = running ? (live?.progress ?? null) : null;
  return (
    <header>
      <p class="muted">
        {run.kind === 'finetune' ? 'Plain fine-tuning' : 'Region-aware fine-tuning'} of <bdi>{shown(run.checkpoint, 120)}</bdi>
        {run.device !== null && `, on ${shown(run.device, 40)}`}
      </p>
      <h1 aria-live="polite">
        <span class={`codicon codicon-${icons[run.state]} ${run.state}`} aria-hidden="true" /> <bdi>{stateInWords(training, live)}</bdi>
      </h1>
      {run.error && run.state === 'failed' && (
        <p>
          <bdi>{shown(`${run.error.message} ${run.error.hint}`, 1000)}</bdi>
        </p>
      )}
      {progress && (
        <div class="training-progress">
          <progress aria-label={`Phase ${shown(progress.phase)}`} value={progress.done} max={Math.max(1, progress.total)} />
          <span>
            <bdi>{shown(progress.phase, 40)}</bdi>: {progress.done.toLocaleString('en-US')} of {progress.total.toLocaleString('en-US')} <bdi>{shown(progress.unit, 30)}</bdi>
            {live?.eta !== null && live?.eta !== undefined && `, ${duration(live.eta)} left`}
          </span>
        </div>
      )}
      <div class="row">
        {running && live && <ActionButton actions={actions} icon="debug-stop" name="Cancel" title="Stops after this step; what was trained is kept and can be resumed" act={(api) => api.cancelRun({})} />}
        {running && live && <ActionButton actions={actions} icon="save" name="Stop and keep best" title="Ends the training after this step, keeps the best epoch and compares it" act={(api) => api.finishRun({})} />}
        {(run.state === 'interrupted' || run.state === 'failed') && <ActionButton actions={actions} look="primary" icon="debug-continue" name="Resume" act={(api) => api.resumeRun({})} />}
        {run.state === 'complete' && <ActionButton actions={actions} look="primary" icon="diff" name="Open comparison" act={(api) => api.openComparison({})} />}
        {run.state === 'failed' && <ActionButton actions={actions} icon="output" name="Show log" act={(api) => api.showLog({})} />}
        {running && <span class="muted">{patienceInWords(training.lines, config.training.earlyStopping)}</span>}
      </div>
      {actions.error && <Failure error={actions.error} />}
    </header>
  );
}

function Warnings({ training: { lines } }: { readonly training: Training }) {
  const warnings = warningsOf(lines);
  if (warnings.length === 0) return null;
  return (
    <ul class="training-warnings" aria-label="Warnings">
      {warnings.map(({ epoch, text }) => (
        <li key={epoch}>
          <span class="codicon codicon-warning" aria-hidden="true" />
          <span>
            Epoch {epoch}: <bdi>{shown(text, 500)}</bdi>
          </span>
        </li>
      ))}
    </ul>
  );
}

function Figures({ training: { lines } }: { readonly training: Training }) {
  const epochs = lines.filter((line) => line.type === 'epoch');
  const [first, last, best] = [epochs[0], epochs.at(-1), epochs.findLast((line) => line.best)];
  if (!first || !last) return <p class="muted">The first accuracies come with the first validation.</p>;
  const figure = (title: string, epoch: EpochMetrics, value: number, note: string) => (
    <div class="figure">
      <dt>{title}</dt>
      <dd class="figure-value">{percent(value)}</dd>
      <dd class="muted">
        <bdi>{note}</bdi>, epoch {epoch.epoch}
      </dd>
    </div>
  );
  return (
    <dl class="figures">
      {figure('Weakest group now', last, last.worstGroup.accuracy, groupInWords(last))}
      {best && figure('Weakest group at best', best, best.worstGroup.accuracy, groupInWords(best))}
      {figure('Weakest group before', first, first.worstGroup.accuracy, groupInWords(first))}
      {figure('Overall now', last, last.overall, `it was ${percent(first.overall)} before`)}
    </dl>
  );
}

function Charts({ training }: { readonly training: Training }) {
  const { accuracy, loss, best, summary } = curvesOf(training.lines);
  return (
    <div class="training-charts">
      <Curves title="Accuracy on the validation images" label={summary.accuracy} xName="epoch" curves={accuracy} top={1} valueText={percent} tickText={(y) => `${Math.round(y * 100)}%`} mark={best === null ? null : { x: best, text: 'best' }} height={250} />
      <Curves title="Loss" label={summary.loss} xName="step" curves={loss} valueText={(y) => y.toPrecision(3)} tickText={String} height={250} />
      <EpochTable epochs={training.lines.filter((line) => line.type === 'epoch')} />
    </div>
  );
}

function EpochTable({ epochs }: { readonly epochs: readonly EpochMetrics[] }) {
  if (epochs.length === 0) return null;
  return (
    <details>
      <summary>{counted(epochs.length, 'validation')} in numbers</summary>
      <table class="training-epochs">
        <thead>
          <tr>
            {['Epoch', 'Step', 'Validation loss', 'Overall', 'Weakest group'].map((name) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
            <th scope="col">Which</th>
            <th scope="col" />
          </tr>
        </thead>
        <tbody>
          {epochs.map((epoch) => (
            <tr key={epoch.epoch}>
              <td class="number">{epoch.epoch}</td>
              <td class="number">{epoch.step.toLocaleString('en-US')}</td>
              <td class="number">{epoch.loss.toFixed(3)}</td>
              <td class="number">{percent(epoch.overall)}</td>
              <td class="number">{percent(epoch.worstGroup.accuracy)}</td>
              <td>
                <bdi>{groupInWords(epoch)}</bdi>
              </td>
              <td>
                {epoch.best && (
                  <>
                    <span class="codicon codicon-star-full" aria-hidden="true" /> best so far
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
