// Rebuilds the sample workspace, media/sample.
import { join } from 'node:path';
import { writeSample } from '../test/fixtures/sample';

const folder = join(import.meta.dirname, '..', 'media', 'sample');
await writeSample(folder);
console.log(`Wrote ${folder}.`);
