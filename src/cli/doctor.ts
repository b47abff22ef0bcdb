import type { MachineReport } from '../engine/runtime/doctor';
import type { Engine } from './engine';
import type { Terminal } from './terminal';
import { aligned, bytes, plain } from './text';

/** `ravl doctor`: what this machine can run, and why not the rest. */
export async function doctorCommand(options: { readonly json?: boolean }, terminal: Terminal, engine: Engine): Promise<void> {
  const report = await engine.doctor();
  terminal.stdout.write(options.json ? `${JSON.stringify(report)}\n` : machineText(report));
}

/** The report as aligned text. */
export function machineText({ node, platform, arch, cores, memory, devices, auto }: MachineReport): string {
  const facts = aligned(
    [
      ['Node.js', node],
      ['System', `${platform} ${arch}, ${cores} ${cores === 1 ? 'core' : 'cores'}, ${bytes(memory.total)} of memory, ${bytes(memory.free)} free`],
      ['device: auto', auto ? `${auto.device}, ${plain(auto.reason)}` : 'nothing works'],
    ],
    'll',
  );
  const rows = devices.flatMap(({ name, works, reason, hint }) => {
    const row = [name, works ? 'yes' : 'no', plain(reason)];
    return hint ? [row, ['', '', plain(hint)]] : [row];
  });
  return `${[...facts, '', ...aligned([['device', 'works', ''], ...rows], 'lll')].join('\n')}\n`;
}
