/** What the editor under test has started, as /proc tells it. Linux only, as the editor itself. */
import { readFileSync, readdirSync } from 'node:fs';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Every living process whose environment or command line names `mark`; a zombie lives no more. */
export function processesOf(mark: string): Process[] {
  const found: Process[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (!command.includes(mark) && !readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)) continue;
      // "pid (name) state parent …": the name may hold blanks and brackets.
      const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
      if (state !== 'Z' && state !== 'X') found.push({ pid, parent: Number(parent), command });
    } catch {
      // It ended while we looked, or belongs to somebody else.
    }
  }
  return found;
}

/** Kills what is left, and says what that was. */
export function killAll(mark: string): Process[] {
  const left = processesOf(mark);
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone by itself.
    }
  }
  return left;
}
