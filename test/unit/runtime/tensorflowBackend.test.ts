import util from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { loadTensorFlow, usesGpu } from '../../../src/engine/runtime/tensorflow/backend';
import { tf } from '../../fixtures/tensorflow';

const failing = (message: string, code?: string) => () => Promise.reject(Object.assign(new Error(message), code ? { code } : {}));

const legacy = util as { isNullOrUndefined?: unknown };
const original = legacy.isNullOrUndefined;
afterEach(() => {
  if (original === undefined) delete legacy.isNullOrUndefined;
  else legacy.isNullOrUndefined = original;
});

describe('loadTensorFlow', () => {
  it('gives what the package exports, ready to compute', async () => {
    legacy.isNullOrUndefined ??= () => false;
    const loaded = await loadTensorFlow(() => Promise.resolve({ default: tf }));
    expect([...loaded.add([1, 2], [3, 4]).dataSync()]).toEqual([4, 6]);
    expect(usesGpu(loaded)).toBe(false);
  });

  it('says how to install what is not there', async () => {
    const words = "Cannot find package '@tensorflow/tfjs-node-gpu' imported from /home/a/ravl/dist/backend.js";
    await expect(loadTensorFlow(failing(words, 'ERR_MODULE_NOT_FOUND'))).rejects.toMatchObject({
      code: 'device-tensorflow-missing',
      message: 'The tensorflow runtime needs @tensorflow/tfjs-node-gpu, which is not installed.',
      hint: expect.stringMatching(/npm install --no-save @tensorflow\/tfjs-node-gpu@4\.22\.0\. .*Node\.js below 23.*CUDA 11\.2 with cuDNN 8\.1/) as string,
    });
  });

  it('says that the install script has not run', async () => {
    const words = "The Node.js native addon module (tfjs_binding.node) can not be found at path: /x/lib/napi-v8/tfjs_binding.node. \nPlease run command 'npm rebuild …'";
    await expect(loadTensorFlow(failing(words))).rejects.toMatchObject({ code: 'device-tensorflow-incomplete', hint: expect.stringContaining('npm rebuild @tensorflow/tfjs-node-gpu') as string });
  });

  it.each([
    ['a library that is missing', failing('libtensorflow.so.2: cannot open shared object file: No such file or directory', 'ERR_DLOPEN_FAILED'), /libtensorflow\.so\.2/],
    ['another package that is missing', failing("Cannot find module '@mapbox/node-pre-gyp'\nRequire stack:\n- /home/a/b.js", 'MODULE_NOT_FOUND'), /@mapbox\/node-pre-gyp/],
  ])('names %s', async (_, load, words) => {
    const { code, message } = (await loadTensorFlow(load).catch((error: unknown) => error)) as { code: string; message: string };
    expect(code).toBe('device-tensorflow-failed');
    expect(message).toMatch(words);
    expect(message).not.toContain('/home');
  });

  it('says that Node.js is too new', async () => {
    delete legacy.isNullOrUndefined;
    await expect(loadTensorFlow(() => Promise.resolve({ default: tf }))).rejects.toMatchObject({
      code: 'device-tensorflow-node',
      message: expect.stringContaining(`Node.js ${process.versions.node}`) as string,
    });
  });
});
