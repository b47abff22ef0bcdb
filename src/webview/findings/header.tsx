import { count, counted, percent } from '../../shared/format';
import type { Overview } from '../../shared/runQueries';
import { accuracyInWords, headline, shown } from '../../shared/words';
import { Button } from '../controls';
import { useHost } from '../host';

/** The answer, and what it was asked of. */
export function FindingsHeader({ overview }: { readonly overview: Overview }) {
  const { api } = useHost();
  const { run, findings, images, regions, imagesProblem } = overview;
  const flagged = findings.filter((finding) => finding.flagged).length;
  const facts: [string, string, string?][] = [
    ['Checkpoint', shown(run.checkpoint, 60), shown(run.checkpoint, 400)],
    ['Data', shown(run.validation, 60), shown(run.validation, 400)],
    ['Images', count(images)],
    ['Regions', count(regions)],
    ['Accuracy', percent(overview.accuracy.overall)],
    ['Weakest class', `${shown(overview.accuracy.worstClass.label, 30)} ${percent(overview.accuracy.worstClass.accuracy)}`],
    ['Flagged', `${count(flagged)} of ${counted(findings.length, 'cluster')}`],
    ['Seed', String(overview.seed)],
  ];
  return (
    <header class="findings-header">
      <div class="row">
        <h1 class="grow">{headline(findings)}</h1>
        <Button icon="preview" onClick={() => void api.openReport({})}>
          Open report
        </Button>
      </div>
      <p class="spoken">
        <bdi>{accuracyInWords(overview)}</bdi>
      </p>
      <dl class="facts">
        {facts.map(([name, value, title]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd title={title}>
              <bdi>{value}</bdi>
            </dd>
          </div>
        ))}
      </dl>
      {imagesProblem !== null && (
        <p class="notice" role="status">
          <span class="codicon codicon-info" aria-hidden="true" />
          <bdi>{shown(imagesProblem, 500)}</bdi>
        </p>
      )}
    </header>
  );
}
