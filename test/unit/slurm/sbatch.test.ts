import { describe, expect, it } from 'vitest';
import { sbatchArguments, submitArray, type ArrayJob } from '../../../src/engine/slurm/sbatch';

const job: ArrayJob = {
  name: 'ravl-run-embed', folder: '/data/run/launch', script: '/data/run/launch/job.sh', stage: 'embed', tasks: 12, command: ['/usr/bin/node', '/opt/ravl/cli.js', 'task', '/data/run/launch', 'embed'],
};

describe('what sbatch is told', () => {
  it('is an array of tasks that Slurm starts again when it loses them, with a log each', () => {
    expect(sbatchArguments(job, { kind: 'slurm' })).toEqual([
      '--parsable', '--array=0-11', '--requeue', '--open-mode=append', '--job-name=ravl-run-embed', '--chdir=/data/run/launch', '--output=/data/run/launch/logs/embed-%A_%a.log',
      '/data/run/launch/job.sh', '/usr/bin/node', '/opt/ravl/cli.js', 'task', '/data/run/launch', 'embed',
    ]);
  });

  it('names what the config asks for, before what RaVL needs, which counts where both say something', () => {
    const args = sbatchArguments(job, { kind: 'slurm', partition: 'gpu', gpus: 2, time: '1:30:00', account: 'lab', lines: ['--constraint=a100', '--mem=16G'] });
    expect(args.slice(0, 7)).toEqual(['--partition=gpu', '--gpus=2', '--time=1:30:00', '--account=lab', '--constraint=a100', '--mem=16G', '--parsable']);
  });

  it('lets a stage wait for the one before, and go with it', () => {
    expect(sbatchArguments({ ...job, after: '41' }, { kind: 'slurm' })).toEqual(expect.arrayContaining(['--dependency=afterok:41', '--kill-on-invalid-dep=yes']));
  });

  it('leaves names what they are: an argument each, before which no option can end', () => {
    const name = '$(reboot) `x`\n#SBATCH --array=0-999 "\' %j';
    const folder = `/data/${name}`;
    const args = sbatchArguments({ ...job, name, folder, script: `${folder}/job.sh`, command: ['node', '--x', folder] }, { kind: 'slurm' });
    expect(args).toContain(`--chdir=${folder}`);
    // Slurm itself would put a job's id there.
    expect(args).toContain(`--output=/data/${name.replace('%j', '%%j')}/logs/embed-%A_%a.log`);
    expect(args.slice(-4)).toEqual([`${folder}/job.sh`, 'node', '--x', folder]);
    expect(args.find((arg) => arg.startsWith('--job-name='))).toBe('--job-name=-reboot-x-SBATCH---array-0-999-j');
  });

  it('cannot be a folder whose name Slurm would change', async () => {
    await expect(submitArray({ ...job, folder: '/data/a\\b' }, { kind: 'slurm' })).rejects.toMatchObject({ code: 'launcher-slurm-folder', message: expect.stringContaining('a\\b') as string });
  });
});
