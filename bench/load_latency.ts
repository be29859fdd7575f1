/** Latencies by the million in little memory: counted in buckets, each 1 % wider than the one before. */

/** Microseconds of the first bucket. */
const FIRST = 1;
const GROWTH = Math.log(1.01);
/** Reaches ten minutes. */
const BUCKETS = 2048;

/** How long calls took, in milliseconds. */
export class Latencies {
  readonly #counts = new Float64Array(BUCKETS);
  count = 0;
  max = 0;

  add(milliseconds: number): void {
    const bucket = Math.floor(Math.log(Math.max(milliseconds * 1000, FIRST)) / GROWTH);
    this.#counts[Math.min(bucket, BUCKETS - 1)]++;
    this.count++;
    if (milliseconds > this.max) this.max = milliseconds;
  }

  addAll(others: Latencies): void {
    for (const [i, n] of others.#counts.entries()) this.#counts[i] += n;
    this.count += others.count;
    this.max = Math.max(this.max, others.max);
  }

  /** What a part of all calls, from 0 to 1, did not exceed, to within 1 %. */
  percentile(part: number): number {
    let left = Math.ceil(part * this.count);
    for (const [i, n] of this.#counts.entries()) {
      left -= n;
      if (left <= 0) return Math.min(Math.exp((i + 1) * GROWTH) / 1000, this.max);
    }
    return this.max;
  }
}
