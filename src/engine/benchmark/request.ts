import { z } from 'zod';
import { configSchema, type LauncherConfig } from '../../shared/config';
import { suiteNames, type SuiteName } from '../../shared/suiteNames';
import { classNames } from './idx';
import type { PhotosRequest } from './photos';
import type { Dataset } from './suites';

/** A suite by its name. */
export interface SuiteRequest {
  readonly suite: SuiteName;
  /** Folder of each data set's four .gz files. */
  readonly data: Partial<Record<Dataset, string>>;
}

export interface BenchmarkRequest {
  /** Which settings: a suite, or an object in photos. */
  readonly of: SuiteRequest | PhotosRequest;
  /** Folder for the tables and, in `cache`, what is kept to go on from. */
  readonly out: string;
  /** Run no more than so many settings: a part of a suite, seed by seed. */
  readonly settings?: number;
  readonly skipMitigation: boolean;
  /** Where the work is done; the results are the same everywhere. */
  readonly launcher: LauncherConfig;
}

/** A request as the tasks of a launch find it, with the groups of settings (see bySeeds) that were left to do. */
export const taskRequestSchema = z.strictObject({
  of: z.union([
    z.strictObject({ suite: z.enum(suiteNames), data: z.partialRecord(z.enum(Object.keys(classNames) as Dataset[]), z.string()) }),
    z.strictObject({ config: configSchema, baseDir: z.string(), object: z.string(), tied: z.string(), cramersV: z.number(), photos: z.int(), epochs: z.int() }),
  ]),
  out: z.string(),
  settings: z.int().optional(),
  skipMitigation: z.boolean(),
  groups: z.array(z.int()),
});

export type TaskRequest = z.infer<typeof taskRequestSchema>;
