/** `ravl benchmark --launcher slurm` on a real cluster of virtual nodes: the same tables as without. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { slurmInstalled, startSlurmCluster, until, type SlurmCluster } from '../fixtures/slurmCluster';
import { benchmarkResults, plantInPhotos, writePhotosProject } from './benchmarkPhotos';
import { ravl, startRavl, temporaryFolder } from './ravl';

const folder = temporaryFolder();

describe.runIf(slurmInstalled())('a benchmark on a cluster', () => {
  let cluster: SlurmCluster;
  beforeAll(async () => {
    await writePhotosProject(folder);
    cluster = await startSlurmCluster(2);
    expect(await ravl([...plantInPhotos, '--out', 'local'], folder)).toMatchObject({ code: 0 });
  });
  afterAll(() => cluster?.stop());

  it('comes to the same as without', async () => {
    const { code, stdout, stderr } = await ravl([...plantInPhotos, '--launcher', 'slurm', '--out', 'cluster'], folder, cluster.env);
    expect({ code, error: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, error: '' });
    expect(await benchmarkResults(join(folder, 'cluster'))).toEqual(await benchmarkResults(join(folder, 'local')));
    expect(stderr).toContain('benchmark: 1 settings in');
  });

  it('comes to its tables without a watcher', async () => {
    const running = startRavl([...plantInPhotos, '--launcher', 'slurm', '--out', 'left'], folder, cluster.env);
    await running.says(/Submitted to Slurm: /);
    running.process.kill('SIGKILL');
    await running.outcome;
    await until('the last job has made the tables', () => existsSync(join(folder, 'left', 'benchmark.md')));
    expect(await benchmarkResults(join(folder, 'left'))).toEqual(await benchmarkResults(join(folder, 'local')));
    // Nothing is left to submit.
    const { code, stderr } = await ravl([...plantInPhotos, '--launcher', 'slurm', '--out', 'left'], folder, cluster.env);
    expect(code).toBe(0);
    expect(stderr).not.toContain('Submitted to Slurm');
  });
});
