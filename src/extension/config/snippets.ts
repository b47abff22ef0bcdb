import * as vscode from 'vscode';

/** Whole configs, for a file with nothing in it. */
export function snippets(range: vscode.Range): vscode.CompletionItem[] {
  const items = [
    { label: vscode.l10n.t('RaVL: find what misleads a checkpoint'), body: analysis },
    { label: vscode.l10n.t('RaVL: find it and fine-tune it away'), body: `${analysis}${training}`.replace('  validation:', '  train: ${6:train.csv}\n  validation:') },
  ];
  return items.map(({ label, body }, order) => {
    const item = new vscode.CompletionItem(label, vscode.CompletionItemKind.Snippet);
    item.insertText = new vscode.SnippetString(body);
    item.filterText = 'ravl checkpoint data';
    item.sortText = `  ${order}`;
    item.range = range;
    return item;
  });
}

const analysis = `checkpoint: \${1:checkpoint}
data:
  validation: \${2:validation.csv}
  columns: { image: \${3:image}, label: \${4:label} }
prompts:
  - \${5:a photo of a {\\}.}
`;

const training = `training:
  epochs: \${7:100}
  learningRate: \${8:0.00005}
`;
