import { ravl, spuriousAware, unweightedGap, weightedGap } from './clusterMethods';
import { distillingFailures } from './distillingFailures';
import { domino } from './domino';
import { george } from './george';
import type { DetectionMethod } from './problem';
import { randomRegions } from './randomRegions';

/** Every discovery method of the benchmark, in the order of its tables: the rivals, RaVL's ablations, RaVL. */
export const detectionMethods: readonly DetectionMethod[] = [randomRegions, distillingFailures, george, domino, spuriousAware, unweightedGap, weightedGap, ravl];
