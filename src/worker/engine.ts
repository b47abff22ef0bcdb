import { systemCode } from '../shared/errors';
import { engineUnavailable } from './errors';

/** A room of the engine, loaded when it is needed: `loaded(import('../engine/…'))`. Throws `run-engine-unavailable` where its native packages do not load. */
export async function loaded<T>(room: Promise<T>): Promise<T> {
  return room.catch((error: unknown) => {
    throw ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED'].includes(systemCode(error) ?? '') ? engineUnavailable(error) : error;
  });
}
