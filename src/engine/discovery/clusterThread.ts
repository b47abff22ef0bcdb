/** Entry of a clustering thread: gets a k, answers with its clustering. */
import { parentPort, workerData } from 'node:worker_threads';
import { tryClusters, type SweepInput } from './sweep';

parentPort?.on('message', (k: number) => parentPort?.postMessage(tryClusters(workerData as SweepInput, k)));
