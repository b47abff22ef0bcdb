import type { ComponentChildren } from 'preact';
import type { Comparison } from '../../shared/comparison';
import { count, counted, percent, points, pointsInterval } from '../../shared/format';
import type { ComparisonView } from '../../shared/runQueries';
import { shown } from '../../shared/words';
import { ActionButton, useActions } from '../action';
import { Bars } from '../charts/Bars';
import { barsSvg } from '../charts/barRows';
import { barColours } from '../charts/theme';
import { ProgressRing } from '../controls';
import { Failure } from '../failure';
import { useEvent, useQuery } from '../host';
import './comparison.css';
import { FindingChanges } from './findingChanges';
import { Flips } from './flips';
import { classRows, groupInWords, regressionRows } from './rows';
import { Section } from './section';

const sides: readonly [string, string] = ['Before', 'After'];
const look = { names: sides, hatched: 'first', differenceName: 'Change, points' } as const;

/** What changed between two checkpoints: what got worse first, then features, classes and the images that flipped. */
export function ComparisonPanel() {
  const { value, error, loading, again } = useQuery((api, signal) => api.comparison({}, { signal }), []);
  useEvent('runChanged', again);
  if (error) return <Failure error={error} again={again} />;
  if (value) return <Shown view={value} />;
  if (loading) return <ProgressRing label="Reading the comparison" />;
  return <p class="notice">There is no comparison yet: it is written when the fine-tuning is complete.</p>;
}

function Shown({ view }: { readonly view: ComparisonView }) {
  const { comparison, before, after, run } = view;
  const actions = useActions();
  const [headline, rest] = firstSentence(comparison.summary);
  const save = { name: 'accuracy-by-class', rows: classRows(comparison.perClass) };
  return (
    <main class="comparison">
      <header>
        <p class="muted">
          <bdi>{shown(before, 120)}</bdi> → <bdi>{shown(after, 120)}</bdi>, on the same {counted(comparison.images, 'image')}
        </p>
        <h1>
          <bdi>{headline}</bdi>
        </h1>
        <p>
          <bdi>{rest}</bdi>
        </p>
        <div class="row">
          <ActionButton actions={actions} icon="list-tree" name="Open findings" act={(api) => api.openFindings({})} />
          <ActionButton actions={actions} icon="file" name="Open report" act={(api) => api.openReport({})} />
          {run?.kind === 'mitigate' || run?.kind === 'finetune' ? null : <span class="muted">Two runs, compared.</span>}
        </div>
        {actions.error && <Failure error={actions.error} />}
      </header>
      <Figures comparison={comparison} />
      <Regressions comparison={comparison} />
      <FindingChanges comparison={comparison} look={look} />
      {comparison.discovery && <Discovery discovery={comparison.discovery} actions={actions} />}
      <Section title="Every class" aside={<ActionButton actions={actions} icon="save" name="Save chart" act={(api) => api.saveChart({ name: save.name, svg: barsSvg('Accuracy by class, before and after', sides, save.rows, 'first', barColours()) })} />}>
        <Bars {...look} rows={save.rows} caption="Accuracy of every class before and after, the worst change first" />
      </Section>
      <Flips flipped={comparison.flipped} />
    </main>
  );
}

/** The weakest group and overall side by side: an average must not be quoted where the weakest group was meant. */
function Figures({ comparison: { worstGroup, worstClass, overall, flipped, findings, images } }: { readonly comparison: Comparison }) {
  return (
    <dl class="figures">
      {worstGroup && (
        <Figure title="Weakest group" change={{ before: worstGroup.before.accuracy, after: worstGroup.after.accuracy, interval: worstGroup.interval }}>
          was {groupInWords(worstGroup.before, findings)}, is {groupInWords(worstGroup.after, findings)} ({counted(worstGroup.after.n, 'image')})
        </Figure>
      )}
      <Figure title="Overall" change={overall}>
        {counted(images, 'image')}
      </Figure>
      <Figure title="Weakest class" change={{ before: worstClass.before.accuracy, after: worstClass.after.accuracy, interval: worstClass.interval }}>
        was “{shown(worstClass.before.label)}”, is “{shown(worstClass.after.label)}” ({counted(worstClass.after.n, 'image')})
      </Figure>
      <div class="figure">
        <dt>Flipped images</dt>
        <dd class="figure-value">
          {count(flipped.rightToWrong.n)} <span class="figure-unit">became wrong</span> {count(flipped.wrongToRight.n)} <span class="figure-unit">became right</span>
        </dd>
        <dd class="muted">of {counted(images, 'image')}</dd>
      </div>
    </dl>
  );
}

function Figure({ title, change: { before, after, interval }, children }: { readonly title: string; readonly change: { readonly before: number; readonly after: number; readonly interval: readonly [number, number] }; readonly children: ComponentChildren }) {
  const direction = interval[0] > 0 ? 'better' : interval[1] < 0 ? 'worse' : 'unsure';
  const icon = { better: 'arrow-up', worse: 'arrow-down', unsure: 'dash' }[direction];
  const word = { better: 'Better', worse: 'Worse', unsure: 'Chance could explain the change' }[direction];
  return (
    <div class="figure">
      <dt>{title}</dt>
      <dd class="figure-value">
        {percent(before)} → {percent(after)}
      </dd>
      <dd>
        <span class={`codicon codicon-${icon} ${direction}`} role="img" aria-label={word} title={word} /> {points(after - before)} points{' '}
        <span class="muted">(95%: {pointsInterval(interval)})</span>
      </dd>
      <dd class="muted">
        <bdi>{children}</bdi>
      </dd>
    </div>
  );
}

function Regressions({ comparison: { regressions, findings } }: { readonly comparison: Comparison }) {
  const certain = regressions.filter((each) => each.certain);
  const doubtful = regressions.filter((each) => !each.certain);
  const nothing = `No class${findings.length > 0 ? ' and no group' : ''} got worse beyond chance.`;
  return (
    <Section title="What got worse">
      {certain.length === 0 ? (
        <p>
          <span class="codicon codicon-pass better" aria-hidden="true" /> {nothing}
        </p>
      ) : (
        <Bars {...look} rows={regressionRows(certain, findings)} labelName="Class or group" caption="Classes and groups that got worse beyond chance, the worst first" />
      )}
      {doubtful.length > 0 && (
        <details>
          <summary>{counted(doubtful.length, 'class or group', 'classes and groups')} lower by an amount that chance could explain</summary>
          <Bars {...look} rows={regressionRows(doubtful, findings)} labelName="Class or group" caption="Classes and groups that are lower by an amount that chance could explain" />
        </details>
      )}
    </Section>
  );
}

function Discovery({ discovery, actions }: { readonly discovery: NonNullable<Comparison['discovery']>; readonly actions: ReturnType<typeof useActions> }) {
  const { run, flaggedBefore, flaggedAfter, strongest } = discovery;
  return (
    <Section title="Discovery, run again" aside={<ActionButton actions={actions} icon="list-tree" name="Open the new findings" act={(api) => api.openFindings({ run })} />}>
      <p>
        On the new checkpoint {counted(flaggedAfter, 'feature')} {flaggedAfter === 1 ? 'is' : 'are'} flagged; before, {flaggedBefore} {flaggedBefore === 1 ? 'was' : 'were'}.
        {strongest && (
          <>
            {' '}
            The strongest now is{' '}
            <b>
              <bdi>{strongest.name.slice(0, 3).map((word) => shown(word, 40)).join(', ')}</bdi>
            </b>
            , with a gap of {strongest.gap.toFixed(2)}.
          </>
        )}
      </p>
    </Section>
  );
}

/** A text's first sentence and the rest of it. */
function firstSentence(text: string): readonly [first: string, rest: string] {
  const end = text.indexOf('. ');
  return end < 0 ? [text, ''] : [text.slice(0, end + 1), text.slice(end + 2)];
}
