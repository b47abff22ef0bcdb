import { env } from 'onnxruntime-node';
import { version } from '../../../package.json';

/** What decides results beside inputs and settings; recorded with every run. */
export const versions: Readonly<Record<string, string>> = { ravl: version, onnxruntime: env.versions.node ?? env.versions.common, node: process.versions.node };
