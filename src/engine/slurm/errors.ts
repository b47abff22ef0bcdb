import { RavlError } from '../../shared/errors';

export const slurmMissing = (command: string) =>
  new RavlError(
    'launcher-slurm-missing',
    `The launcher is slurm, and there is no Slurm on this machine: the command ${command} was not found.`,
    'Run it on a machine of the cluster, or set launcher.kind to pool or local.',
  );

export const slurmRefused = (command: string, said: string) =>
  new RavlError(
    'launcher-slurm-refused',
    `Slurm did not do what ${command} asked for: ${said || 'it did not answer'}.`,
    'Check the keys of launcher in the config against the partitions, accounts and limits of the cluster (sinfo, sacctmgr).',
  );

export const folderUnusable = (folder: string) =>
  new RavlError('launcher-slurm-folder', `Slurm cannot write logs into ${folder}: it drops the backslash in that name.`, 'Choose another folder with --out.');
