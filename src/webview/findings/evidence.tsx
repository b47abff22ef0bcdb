import { count, decimal, decimalInterval, percent, probability } from '../../shared/format';
import type { FindingSummary, Overview } from '../../shared/runQueries';
import { shown } from '../../shared/words';
import { Fact } from './fact';

/** What the finding rests on, and what it cannot tell. */
export function Evidence({ finding, overview }: { readonly finding: FindingSummary; readonly overview: Overview }) {
  const { images, regions, accuracy, clusters, prompts, versions, seed } = overview;
  return (
    <div class="evidence" tabIndex={0} role="region" aria-label="Evidence">
      <dl class="facts">
        <Fact name="Images with it" value={count(finding.support)} more={`${percent(images > 0 ? finding.support / images : null)} of ${count(images)}`} />
        <Fact name="Regions" value={count(finding.size)} more={`${percent(regions > 0 ? finding.size / regions : null)} of ${count(regions)}`} />
        <Fact name="Gap" value={decimal(finding.gap)} more={`95% interval ${decimalInterval(finding.gapInterval)}`} />
        <Fact name="Influence" value={decimal(finding.influence)} />
        <Fact name="p" value={probability(finding.pValue)} more="before adjusting" />
        <Fact name="q" value={probability(finding.qValue)} more={`over ${count(overview.findings.length)} clusters`} />
      </dl>
      <h3>{finding.flagged ? 'Why it is flagged' : 'Why it is not flagged'}</h3>
      {finding.flagged ? (
        <p>One class gains by it and another loses, the wrong images look like the wrong class at these regions, and chance hardly produces such a gap.</p>
      ) : (
        <ul class="plain">
          {finding.reasons.map((reason, i) => (
            <li key={i}>
              <bdi>{shown(reason, 300)}</bdi>
            </li>
          ))}
        </ul>
      )}
      <h3>Base rates</h3>
      <table class="rates">
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col" class="number">
              Images
            </th>
            <th scope="col" class="number">
              Accuracy
            </th>
            <th scope="col" class="number">
              Have it
            </th>
            <th scope="col" class="number">
              Influence
            </th>
          </tr>
        </thead>
        <tbody>
          {finding.classes.slice(0, 200).map(({ label, presentN, absentN, influence }) => (
            <tr key={label}>
              <th scope="row" class="clip">
                <bdi>{shown(label)}</bdi>
              </th>
              <td class="number">{count(presentN + absentN)}</td>
              <td class="number">{percent(accuracy.perClass.find((row) => row.label === label)?.accuracy ?? null)}</td>
              <td class="number">{percent(presentN + absentN > 0 ? presentN / (presentN + absentN) : null)}</td>
              <td class="number">{decimal(influence, 2)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <h3>How to doubt it</h3>
      <ul class="plain">
        <li>A gap is never negative, so noise alone leaves more than 0: look at the interval, at q and at the number of images.</li>
        <li>The words are those nearest to the regions, not a proof of what the model sees. Look at the regions and the counter-examples.</li>
        <li>Mask the regions of an image (open it) and see whether the prediction changes.</li>
      </ul>
      <h3>How it was made</h3>
      <p class="muted">
        <bdi>
          {count(clusters.k)} clusters (silhouette {decimal(clusters.silhouette, 2)}, {shown(clusters.method, 200)}), seed {seed}; prompts: {prompts.slice(0, 5).map((prompt) => `“${shown(prompt, 80)}”`).join(', ')};{' '}
          {Object.entries(versions).map(([name, version]) => `${shown(name, 40)} ${shown(version, 40)}`).join(', ')}.
        </bdi>
      </p>
    </div>
  );
}
