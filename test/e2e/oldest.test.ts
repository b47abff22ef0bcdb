import { it } from 'vitest';
import { describeEditor } from './editor';
import { expectPlantedFinding } from './findings';
import { versions } from './setup';

describeEditor('the oldest editor that is supported', { version: versions.oldest }, (editor) => {
  it('shows the planted shortcut first, two clicks after a right-click', async () => {
    await editor().contextMenu('checkpoint', 'RaVL', 'Analyze');
    await expectPlantedFinding(editor());
    await editor().screenshot('oldest-editor');
  });
});
