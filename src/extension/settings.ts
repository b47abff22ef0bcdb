import * as vscode from 'vscode';
import { z } from 'zod';
import { type Device, deviceSchema } from '../shared/config';
import { settings } from './names';

/** The settings of package.json, which has their defaults and meanings. */
export interface Settings {
  readonly nodePath: string;
  readonly device: Device;
  /** MiB; null: what RaVL chooses. */
  readonly memoryBudget: number | null;
  /** MiB. */
  readonly cacheSize: number;
  readonly problems: boolean;
  readonly parallelRuns: number;
}

/** The settings in force for a file or folder. What is not of its type, as written into settings.json by hand, counts as its default. */
export function readSettings(scope?: vscode.Uri): Settings {
  const configuration = vscode.workspace.getConfiguration(undefined, scope);
  const read = <T>(name: string, schema: z.ZodType<T>, otherwise: T): T => schema.safeParse(configuration.get(name)).data ?? otherwise;
  return {
    nodePath: read(settings.nodePath, z.string(), ''),
    device: read(settings.device, deviceSchema, 'auto'),
    memoryBudget: read<number | null>(settings.memoryBudget, z.number().positive(), null),
    cacheSize: read(settings.cacheSize, z.number().min(0), 512),
    problems: read(settings.problems, z.boolean(), true),
    parallelRuns: read(settings.parallelRuns, z.int().min(1), 1),
  };
}
