import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

/** What starts a task: this Node.js and the command line, which lies beside the bundled engine. */
export const taskCommand = (): readonly string[] => [process.execPath, fileURLToPath(new URL('./cli.js', import.meta.url))];

/** Cores of this machine, shared out among so many processes at once. */
export const threadsEach = (processes: number): number => Math.max(1, Math.floor(availableParallelism() / processes));
