import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { Machine } from '../../shared/workerApi';

/** Something that a machine with a GPU can use, and that is too large to bring along. */
export interface GpuPackage {
  readonly name: 'onnxruntime-node' | '@tensorflow/tfjs-node-gpu';
  readonly version: string;
  /** The device of the doctor that it is for. */
  readonly device: 'cuda' | 'tensorflow';
  readonly title: string;
  /** What it is for, and what the machine needs besides. */
  readonly purpose: string;
  readonly size: string;
  /** Hosts that the installation downloads from. */
  readonly from: readonly string[];
  /** What its install script reads. */
  readonly env: Readonly<Record<string, string>>;
  /** There once its native part is, below node_modules. */
  readonly binary: string;
  /** Why this machine cannot use it; undefined where it may. */
  readonly unfit: string | undefined;
}

/** Where they are installed: the extension's own storage, which an update leaves alone. */
export const gpuFolder = ({ globalStorageUri }: Pick<vscode.ExtensionContext, 'globalStorageUri'>): string => vscode.Uri.joinPath(globalStorageUri, 'gpu').fsPath;

/** The part of RaVL's package.json that says which versions it is made for. */
export interface Versions {
  readonly dependencies: { readonly 'onnxruntime-node': string };
  readonly optionalDependencies: { readonly '@tensorflow/tfjs-node-gpu': string };
}

/** Both packages, and which of them a machine can use. */
export function gpuPackages({ platform, arch, node }: Pick<Machine, 'platform' | 'arch' | 'node'>, manifest: Versions): GpuPackage[] {
  const { t } = vscode.l10n;
  const here = `${platform} ${arch}`;
  return [
    {
      name: 'onnxruntime-node',
      version: manifest.dependencies['onnxruntime-node'],
      device: 'cuda',
      title: t('CUDA for onnxruntime'),
      purpose: t('For analysis and fine-tuning; needs an NVIDIA driver, CUDA 12 and cuDNN 9.'),
      size: t('about 1 GB'),
      from: ['registry.npmjs.org', 'api.nuget.org'],
      env: { ONNXRUNTIME_NODE_INSTALL: 'cuda12' },
      binary: `onnxruntime-node/bin/napi-v6/${platform}/${arch}/libonnxruntime_providers_cuda.so`,
      unfit: here === 'linux x64' ? undefined : noCuda(platform, here),
    },
    {
      name: '@tensorflow/tfjs-node-gpu',
      version: manifest.optionalDependencies['@tensorflow/tfjs-node-gpu'],
      device: 'tensorflow',
      title: t('TensorFlow'),
      purpose: t('For training.runtime: tensorflow; on a GPU with CUDA 11.2 and cuDNN 8.1.'),
      size: t('1 to 2 GB'),
      from: ['registry.npmjs.org', 'storage.googleapis.com'],
      env: {},
      binary: '@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node',
      unfit: noTensorFlow(here, node),
    },
  ];
}

/** The native part is there, of whatever version. */
export const isInstalled = (folder: string, { binary }: GpuPackage): boolean => existsSync(join(folder, 'node_modules', binary));

function noCuda(platform: string, here: string): string {
  if (platform === 'win32') return vscode.l10n.t('onnxruntime has no CUDA libraries for Node.js on Windows; DirectML (device: dml) is there without.');
  if (platform === 'darwin') return vscode.l10n.t('There is no CUDA on macOS; Core ML (device: coreml) is there without.');
  return vscode.l10n.t('onnxruntime has CUDA libraries for Linux on x64 only, not for {0}.', here);
}

function noTensorFlow(here: string, node: string): string | undefined {
  if (here !== 'linux x64' && here !== 'win32 x64') return vscode.l10n.t('It is made for Linux and Windows on x64, not for {0}.', here);
  if (Number(node.split('.')[0]) >= 23) return vscode.l10n.t('It needs Node.js 20 or 22, not {0}; the setting ravl.nodePath chooses another.', node);
  return undefined;
}
