import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { machineText } from '../../../src/cli/doctor';
import { runCommandLine } from '../../../src/cli/program';
import type { MachineReport } from '../../../src/engine/runtime/doctor';
import { fakeEngine } from '../../fixtures/fakeEngine';

const report: MachineReport = {
  node: '20.20.2',
  platform: 'linux',
  arch: 'x64',
  cores: 2,
  memory: { total: 24 * 2 ** 30, free: 3 * 2 ** 30 },
  devices: [
    { name: 'cpu', works: true, reason: '', hint: '' },
    { name: 'webgpu', works: true, reason: 'on a software adapter, which is slower than the CPU', hint: '' },
    { name: 'cuda', works: false, reason: 'its libraries are not installed', hint: '' },
    { name: 'tensorflow', works: false, reason: 'it is not installed', hint: 'Run: npm install it.' },
  ],
  auto: { device: 'cpu', reason: 'no other device that onnxruntime can use was found' },
};

async function doctor(...options: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const terminal = { stdout: { write: (text: string) => out.push(text) }, stderr: { write: (text: string) => err.push(text) }, env: {}, cwd: '/', now: () => 0 };
  const code = await runCommandLine(['doctor', ...options], '1.2.3', terminal, fakeEngine({ doctor: () => Promise.resolve(report) }), new EventEmitter());
  return { code, out: out.join(''), err: err.join('') };
}

describe('ravl doctor', () => {
  it('shows the machine and every device, with the reason and what to do', async () => {
    const { code, out, err } = await doctor();
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(`Node.js       20.20.2
System        linux x64, 2 cores, 24.0 GiB of memory, 3.0 GiB free
device: auto  cpu, no other device that onnxruntime can use was found

device      works
cpu         yes
webgpu      yes    on a software adapter, which is slower than the CPU
cuda        no     its libraries are not installed
tensorflow  no     it is not installed
                   Run: npm install it.
`);
  });

  it('prints the same as one JSON object', async () => {
    const { code, out } = await doctor('--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(report);
  });

  it('says so where nothing works, and keeps a terminal safe from what errors say', () => {
    const text = machineText({ ...report, auto: null, devices: [{ name: 'cpu', works: false, reason: 'onnxruntime cannot be loaded: \x1b[2Jbad', hint: '' }] });
    expect(text).toContain('device: auto  nothing works');
    expect(text).toContain('cpu     no     onnxruntime cannot be loaded: bad\n');
  });
});
