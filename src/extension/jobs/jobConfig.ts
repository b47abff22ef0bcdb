import type { Document } from 'yaml';
import type { Config } from '../../shared/config';
import type { Settings } from '../settings';

/** The config of a job: the file's, with the editor's settings where the file leaves the choice. */
export function jobConfig(config: Config, document: Document, { device, memoryBudget }: Pick<Settings, 'device' | 'memoryBudget'>): Config {
  const leftOut = (room: 'discovery' | 'training') => memoryBudget !== null && !document.hasIn([room, 'memoryBudget']);
  return {
    ...config,
    device: config.device === 'auto' ? device : config.device,
    discovery: leftOut('discovery') ? { ...config.discovery, memoryBudget: memoryBudget! } : config.discovery,
    training: leftOut('training') ? { ...config.training, memoryBudget: memoryBudget! } : config.training,
  };
}
