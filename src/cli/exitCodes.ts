export { exitCodeOf, exitCodes, isInterruption } from '../shared/exitCodes';

export const exitCodesHelp = `Exit codes:
  0    done
  1    internal error: a defect in RaVL, the message says where the log is
  2    the command line or the config is wrong
  3    the checkpoint or the data is wrong
  4    the run failed: disk, lock, device or memory
  130  interrupted; the same command resumes the run`;
