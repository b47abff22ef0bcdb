/** Entry of a layout thread: tells how far it is, then posts the layout. */
import { parentPort, workerData } from 'node:worker_threads';
import type { LayoutMessage } from './layoutThread';
import { umapLayout, type LayoutInput } from './umapLayout';

const post = (message: LayoutMessage) => parentPort?.postMessage(message);
const steps = umapLayout(workerData as LayoutInput);
let step = steps.next();
for (; !step.done; step = steps.next()) post({ done: step.value });
post({ layout: step.value });
