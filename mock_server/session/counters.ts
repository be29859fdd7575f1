/** What the server counts of its work, as its `report` tells it. */

/** A miss is a removal or a reading of what is not there, or a refused store. */
export class Counters {
  set = 0;
  setMisses = 0;
  remove = 0;
  removeMisses = 0;
  get = 0;
  getMisses = 0;
  script = 0;
  /** Procedures beside those, such as `clear`. */
  misc = 0;
}
