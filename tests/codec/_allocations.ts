/** Watches how much memory is taken for bytes. */

export interface Allocations {
  /** The largest single array, in bytes. */
  largest: number;
  /** All arrays together, in bytes. */
  total: number;
}

/**
 * What `run` takes by `new Uint8Array(size)`, the only way in which the codec takes memory for bytes
 * that have not arrived. (A `slice()` copies what is there.)
 */
export function allocationsOf(run: () => void): Allocations {
  const original = globalThis.Uint8Array;
  const allocations = { largest: 0, total: 0 };
  globalThis.Uint8Array = new Proxy(original, {
    construct(target, args: [size: unknown]) {
      const [size] = args;
      if (typeof size === "number") {
        allocations.largest = Math.max(allocations.largest, size);
        allocations.total += size;
      }
      return Reflect.construct(target, args);
    },
  });
  try {
    run();
  } finally {
    globalThis.Uint8Array = original;
  }
  return allocations;
}
