import * as vscode from 'vscode';
import type { Machine } from '../../shared/workerApi';
import type { Context } from '../context';
import { type Documents, escaped, table } from './documents';

/** Shows what this machine can run, and why not the rest. */
export async function doctor({ viewer }: Pick<Context, 'viewer'>, documents: Documents): Promise<void> {
  const options = { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('RaVL: looking at this machine') };
  await documents.show(vscode.l10n.t('Doctor'), machineMarkdown(await vscode.window.withProgress(options, () => viewer.api.doctor({}))));
}

export function machineMarkdown({ node, platform, arch, cores, memory, devices, auto }: Machine): string {
  const { t } = vscode.l10n;
  const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const facts = [
    ['Node.js', escaped(node)],
    [t('System'), t('{0} {1}, {2} cores, {3} of memory, {4} free', escaped(platform), escaped(arch), cores, gibibytes(memory.total), gibibytes(memory.free))],
    ['device: auto', auto ? `${escaped(auto.device)}, ${escaped(auto.reason, 500)}` : t('nothing works')],
  ];
  const rows = devices.map(({ name, works, reason, hint }) => [escaped(name), works ? t('yes') : t('no'), [reason, hint].filter((part) => part !== '').map((part) => escaped(part, 1000)).join('<br>')]);
  return [`# ${t('What RaVL can run on')}`, table(['', ''], facts, 'll'), table([t('device'), t('works'), ''], rows, 'lll'), ''].join('\n\n');
}
