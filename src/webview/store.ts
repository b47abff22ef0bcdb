import { useEffect, useState } from 'preact/hooks';

/** A state that several components share. Who reads a part of it is drawn again only when that part is another. */
export interface Store<S> {
  get(): S;
  set(change: Partial<S>): void;
  subscribe(listener: () => void): () => void;
}

export function createStore<S extends object>(initial: S): Store<S> {
  let state = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => state,
    set(change) {
      const changed = Object.entries(change).some(([key, value]) => !Object.is(value, state[key as keyof S]));
      if (!changed) return;
      state = { ...state, ...change };
      for (const listener of [...listeners]) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A part of the state: `useStore(store, (state) => state.sort)`. The part must be the same object as long as it means the same. */
export function useStore<S, T>(store: Store<S>, part: (state: S) => T): T {
  const [value, setValue] = useState(() => part(store.get()));
  useEffect(() => {
    // A function as state would be called by setValue; parts are plain data.
    const update = () => setValue(() => part(store.get()));
    update();
    return store.subscribe(update);
  }, [store]);
  return value;
}
