import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { expect, it } from 'vitest';
import { analyze } from '../../src/engine/discovery/analyze';
import { openViewer } from '../../src/engine/viewer/viewer';
import { configSchema } from '../../src/shared/config';
import type { Client } from '../../src/shared/rpc';
import type { ViewerQueries } from '../../src/shared/runQueries';

it("without its red quadrant, a coat of the sample that was taken for a pullover looks less like one", async () => {
  const root = await mkdtemp(join(tmpdir(), 'ravl-sample-'));
  const viewer = openViewer({ cacheBytes: 1e6, report: () => undefined });
  try {
    await cp(join(import.meta.dirname, '../../media/sample'), root, { recursive: true, filter: (path) => !path.includes('.ravl/') });
    const config = configSchema.parse(parse(await readFile(join(root, 'ravl.yaml'), 'utf8')));
    const { run, findings } = await analyze({ config, baseDir: root, root, skipUnreadable: false, fresh: true }, () => undefined, new AbortController().signal);
    const ask = async <K extends keyof ViewerQueries & string>(query: K, params: Parameters<Client<ViewerQueries>[K]>[0]) =>
      (await viewer.ask(run.folder, query, params, new AbortController().signal)) as Awaited<ReturnType<Client<ViewerQueries>[K]>>;
    const [coat, pullover] = [findings.classes.indexOf('coat'), findings.classes.indexOf('pullover')];
    const table = await ask('regions', {});
    const red = findings.findings[0]!;
    expect(red).toMatchObject({ rank: 1, flagged: true, attribute: 'pullover' });
    const regions = Array.from(table.cluster.keys()).filter((region) => table.cluster[region] === red.cluster && table.imageLabel[table.image[region]!] === coat && table.imagePredicted[table.image[region]!] === pullover);
    expect(regions.length).toBeGreaterThan(10);
    let mended = 0;
    for (const region of regions) {
      const { before, after } = await ask('whatIf', { image: table.image[region]!, regions: [region] });
      expect(before.predicted).toBe('pullover');
      expect(after.scores[pullover]).toBeLessThan(before.scores[pullover]!);
      if (after.predicted === 'coat') mended++;
    }
    // Without red, coats are right 70% of the time.
    expect(mended).toBeGreaterThan(regions.length / 2);
  } finally {
    await viewer.release();
    await rm(root, { recursive: true, force: true });
  }
});
