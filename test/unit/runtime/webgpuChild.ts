/** Run in a process of its own, whose environment names the Vulkan driver: prints what WebGPU makes of three graphs. */
import { encodeModel } from '../../../src/engine/onnx/model';
import { chooseDevice, openCheckedSession } from '../../../src/engine/runtime/device';
import { Tensor } from '../../../src/engine/runtime/session';
import { convNet, groupedConv, transformer, values } from './nets';

const cases = {
  convNet: [convNet(), [2, 3, 16, 16]],
  transformer: [transformer(), [2, 6, 16]],
  groupedConv: [groupedConv(), [1, 4, 8, 8]],
} as const;

const results: Record<string, unknown> = { auto: (await chooseDevice('auto')).device };
for (const [name, [proto, dims]] of Object.entries(cases)) {
  const notes: string[] = [];
  const feeds = { x: new Tensor('float32', values(dims.reduce<number>((a, b) => a * b, 1), 5), [...dims]) };
  const { session, device } = await openCheckedSession(encodeModel(proto), 'webgpu', feeds, (event) => event.type === 'note' && notes.push(event.text));
  const { y } = await session.run(feeds);
  results[name] = { ...device, notes, values: Array.from(y!.data as Float32Array) };
  await session.release();
}
process.stdout.write(JSON.stringify(results));
