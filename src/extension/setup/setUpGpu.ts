import { rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import * as vscode from 'vscode';
import type { Machine } from '../../shared/workerApi';
import type { Context } from '../context';
import { offer } from '../messages';
import { commands } from '../names';
import { folderUnusable } from './errors';
import { type GpuPackage, type Versions, gpuFolder, gpuPackages, isInstalled } from './gpuPackages';
import { installPackage, npmArguments } from './installPackage';

interface Item extends vscode.QuickPickItem {
  readonly run?: () => Promise<unknown>;
}

/** Shows what this machine computes on, and what could be installed for its GPU. Nothing is installed but by two clicks that say so. */
export async function setUpGpu({ viewer, extension }: Pick<Context, 'viewer' | 'extension'>): Promise<void> {
  const machine = await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title: vscode.l10n.t('RaVL: looking at this machine') }, () => viewer.api.doctor({}));
  const folder = gpuFolder(extension);
  const packages = gpuPackages(machine, extension.extension.packageJSON as Versions);
  const picked = await vscode.window.showQuickPick(itemsFor(machine, packages, folder), {
    title: vscode.l10n.t('Set Up GPU'),
    placeHolder: machine.auto ? vscode.l10n.t('device: auto takes {0}, {1}', machine.auto.device, machine.auto.reason) : vscode.l10n.t('onnxruntime does not work on this machine'),
    matchOnDetail: true,
  });
  await picked?.run?.();
}

function itemsFor({ devices }: Machine, packages: readonly GpuPackage[], folder: string): Item[] {
  const { t } = vscode.l10n;
  return [
    heading(t('To install')),
    ...packages.map((each) => packageItem(each, devices.find(({ name }) => name === each.device), folder)),
    ...(existsSync(folder) ? [{ label: `$(trash) ${t('Remove what was installed')}`, description: folder, run: () => remove(folder) }] : []),
    heading(t('What works now')),
    ...devices.map(({ name, works, reason }): Item => ({ label: `$(${works ? 'check' : 'circle-slash'}) ${name}`, description: reason, run: showDoctor })),
  ];
}

const heading = (label: string): Item => ({ label, kind: vscode.QuickPickItemKind.Separator });
const showDoctor = async (): Promise<unknown> => vscode.commands.executeCommand(commands.doctor);

function packageItem(wanted: GpuPackage, device: Machine['devices'][number] | undefined, folder: string): Item {
  const { t } = vscode.l10n;
  const { title, unfit, purpose, size } = wanted;
  if (unfit !== undefined) return { label: `$(circle-slash) ${title}`, description: t('not for this machine'), detail: unfit };
  if (device?.works) return { label: `$(check) ${title}`, description: t('works'), detail: purpose };
  if (isInstalled(folder, wanted)) {
    return { label: `$(warning) ${title}`, description: t('installed, but does not work; pick it to install it anew'), detail: device?.reason || purpose, run: () => install(wanted, folder) };
  }
  return { label: `$(cloud-download) ${title}…`, description: size, detail: purpose, run: () => install(wanted, folder) };
}

/** Says first what will be run, from where, how much and where to. */
async function install(wanted: GpuPackage, folder: string): Promise<void> {
  const { t } = vscode.l10n;
  const detail = [
    wanted.purpose,
    t('Downloads {0} {1} ({2}) from {3} into {4}.', wanted.name, wanted.version, wanted.size, wanted.from.join(', '), folder),
    [...Object.entries(wanted.env).map(([name, value]) => `${name}=${value}`), 'npm', ...npmArguments].join(' '),
  ].join('\n\n');
  const yes = t('Install');
  if ((await vscode.window.showInformationMessage(t('Install {0}?', wanted.title), { modal: true, detail }, yes)) !== yes) return;
  await installPackage(folder, wanted);
  // A worker that is running has loaded its libraries; the next window starts with the new ones.
  await offer(vscode.window.showInformationMessage, t('{0} is installed. It is used after a reload of the window; RaVL: Doctor then tells whether it reaches the GPU.', wanted.title), [
    { title: t('Reload Window'), run: () => vscode.commands.executeCommand('workbench.action.reloadWindow') },
  ]);
}

async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch((error: unknown) => {
    throw folderUnusable(folder, error);
  });
  void vscode.window.showInformationMessage(vscode.l10n.t('Removed. RaVL uses its own onnxruntime after a reload of the window.'));
}
