import { expect, it } from 'vitest';
import { describeEditor } from './editor';
import { until } from './until';
import { analyzedSample } from './workspaces';

describeEditor(
  'a workspace that nobody trusts',
  {
    fill: analyzedSample,
    askTrust: true,
    atOpening: (page) => page.getByRole('button', { name: "No, I don't trust the authors" }).click(),
  },
  (editor) => {
    it('is not worked on, and it is said why', async () => {
      await editor().command('RaVL: Analyze Checkpoint');
      await editor().toast(/that you do not trust/).waitFor();
      await editor().screenshot('untrusted');
      expect(await editor().toast(/that you do not trust/).textContent()).toContain('Manage Trust');
      await editor().dismissToasts();
      await editor().command('RaVL: Launch Region-Aware Fine-Tuning');
      await editor().toast(/that you do not trust/).waitFor();
      await editor().dismissToasts();
    });

    it('shows the report that is there, without starting a process', async () => {
      const rows = await until('the run', async () => {
        const found = await editor().runs();
        return found.some((row) => row.startsWith('Analysis')) && found;
      });
      expect(rows.some((row) => row.startsWith('Analysis'))).toBe(true);
      await editor().page.locator('.sidebar .monaco-list-row', { hasText: 'Analysis' }).first().click();
      const report = await editor().panel('report', 'Report');
      await report.getByText('pullover').first().waitFor();
      await editor().screenshot('untrusted-report');
      expect(editor().workers()).toEqual([]);
    });
  },
);
