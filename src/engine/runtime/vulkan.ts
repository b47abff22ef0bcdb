import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, delimiter, join } from 'node:path';

/**
 * What Vulkan drivers this Linux machine has, from the manifests its loader reads (Vulkan-Loader, LoaderDriverInterface):
 * looked up here because the WebGPU provider writes to stderr where there is none, and does not say whether its adapter
 * is a real GPU.
 */
export function vulkanDrivers(environment: NodeJS.ProcessEnv = process.env): 'none' | 'software' | 'hardware' {
  const named = environment.VK_DRIVER_FILES ?? environment.VK_ICD_FILENAMES;
  const manifests = named ? named.split(delimiter) : [...folders(environment).flatMap(list), ...(environment.VK_ADD_DRIVER_FILES ?? '').split(delimiter)];
  const drivers = manifests.map((path) => basename(path)).filter((name) => name.endsWith('.json'));
  if (drivers.length === 0) return 'none';
  return drivers.every((name) => softwareDriver.test(name)) || !hasGraphicsCard() ? 'software' : 'hardware';
}

/** SwiftShader, and Mesa's lavapipe (lvp). */
const softwareDriver = /swiftshader|^lvp|lavapipe/i;

function folders({ XDG_DATA_HOME, XDG_DATA_DIRS }: NodeJS.ProcessEnv): string[] {
  const shared = (XDG_DATA_DIRS ?? '/usr/local/share:/usr/share').split(delimiter);
  return ['/etc', '/usr/local/etc', XDG_DATA_HOME ?? join(homedir(), '.local/share'), ...shared].map((folder) => join(folder, 'vulkan/icd.d'));
}

/** A render node of the kernel, NVIDIA's own device, or that of Windows' subsystem for Linux. */
function hasGraphicsCard(): boolean {
  return list('/dev/dri').some((name) => name.includes('renderD')) || list('/dev').some((name) => /^(?:nvidia\d+|dxg)$/.test(basename(name)));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}
