import { useEffect, useState } from 'preact/hooks';
import { verdictKinds } from '../../shared/verdicts';
import { Button, TextField } from '../controls';
import { Failure } from '../failure';
import type { VerdictKind } from './state';
import { noVerdict, type VerdictsInUse } from './verdicts';

const words: Readonly<Record<VerdictKind, { text: string; title: string; icon: string }>> = {
  spurious: { text: 'Spurious', title: 'A shortcut, to be fine-tuned away', icon: 'warning' },
  core: { text: 'Core', title: 'Part of the object: the model may look at it', icon: 'pass' },
  noise: { text: 'Noise', title: 'Nothing that can be named', icon: 'question' },
};

/** What a person thinks of a finding; kept with the run and heeded by mitigation. */
export function VerdictForm({ cluster, verdicts }: { readonly cluster: number; readonly verdicts: VerdictsInUse }) {
  const stored = verdicts.all.clusters[cluster] ?? noVerdict;
  const [note, setNote] = useState(stored.note);
  useEffect(() => setNote(stored.note), [stored.note]);
  const choose = (kind: VerdictKind) => verdicts.set(cluster, { verdict: stored.verdict === kind ? null : kind, note });
  const keepNote = (text: string) => {
    if (text !== stored.note) verdicts.set(cluster, { ...stored, note: text });
  };
  return (
    <>
      <div class="row verdict-form" role="group" aria-label="Your verdict">
        <span class="muted">Verdict</span>
        {verdictKinds.map((kind) => (
          <Button key={kind} class="toggle" icon={words[kind].icon} title={words[kind].title} pressed={stored.verdict === kind} onClick={() => choose(kind)}>
            {words[kind].text}
          </Button>
        ))}
        <TextField class="grow note" label="Note on the verdict" placeholder="Note" maxLength={10_000} value={note} onInput={setNote} onCommit={keepNote} />
      </div>
      {verdicts.error && <Failure error={verdicts.error} />}
    </>
  );
}
