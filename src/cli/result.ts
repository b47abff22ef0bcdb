import type { Findings } from '../shared/findings';
import type { AnalyzeResult } from './engine';

/**
 * What `ravl analyze --json` prints: the ranked findings without their evidence, which findings.json in the run's folder
 * holds in full. Pruned clusters (no rank) are left out.
 */
export function resultJson({ run, device, findings }: AnalyzeResult): unknown {
  const { images, regions, accuracy, clusters } = findings;
  return {
    run,
    device,
    images,
    regions,
    accuracy,
    clusters: { k: clusters.k, silhouette: clusters.silhouette },
    findings: ranked(findings).map((finding) => ({
      rank: finding.rank,
      cluster: finding.cluster,
      flagged: finding.flagged,
      name: finding.name,
      attribute: finding.attribute,
      gap: finding.gap,
      gapInterval: finding.gapInterval,
      influence: finding.influence,
      pValue: finding.pValue,
      qValue: finding.qValue,
      support: finding.support,
      classes: finding.classes.map(({ label, presentN, presentAcc, absentN, absentAcc, gap, interval }) => ({
        label,
        presentN,
        presentAcc,
        absentN,
        absentAcc,
        gap,
        interval,
      })),
      regions: finding.regions.map(({ image, box }) => ({ image, box })),
    })),
  };
}

/** The clusters that survived pruning, by rank. */
export function ranked(findings: Findings): Findings['findings'] {
  return findings.findings.filter(({ rank }) => rank !== null).sort((a, b) => a.rank! - b.rank!);
}
