/** What must be true of a run, whatever went wrong in it. */

import {
  BulkError,
  ClosedError,
  ConnectionError,
  KyotoTycoonError,
  ProtocolError,
  QueueFullError,
  ServerError,
  TimeoutError,
} from "../../mod.ts";
import { brief, type CallRecord, type History, type Sight } from "./_history.ts";

/** What a run allows. */
export interface Conditions {
  /** Whether calls leave in the order in which they were made: there is one connection at a time. */
  ordered: boolean;
  /**
   * Whether replies can be trusted. When bytes of them are changed on the way a client cannot know:
   * then values, counts and confirmations may be wrong. What holds even so: every call ends, nothing
   * is stored twice, nor is what the client says it did not send, and nothing is left behind.
   */
  trustworthy: boolean;
  /** Whether a peer may have broken the protocol, recognizably. */
  mayBreakProtocol: boolean;
  /** Whether a server may have refused what it was asked. */
  mayRefuse: boolean;
}

/** Everything that is wrong, in words. */
export function violations(history: History, conditions: Conditions): string[] {
  const found = [...history.complaints];
  for (const call of history.calls) {
    found.push(...checkCall(call, history, conditions).map((what) => `${call.about}: ${what}`));
  }
  found.push(...checkDeeds(history, conditions));
  if (conditions.trustworthy) found.push(...checkCounts(history));
  if (conditions.ordered && conditions.trustworthy) found.push(...checkOrder(history));
  return found;
}

function* checkCall(
  call: CallRecord,
  history: History,
  conditions: Conditions,
): Generator<string, void, void> {
  const { outcome, writes, start } = call;
  for (const { value, applied, exists } of writes) {
    if (applied.length > 1) yield `"${brief(value)}" was stored ${applied.length} times`;
    if (applied.some((at) => at < start)) yield `"${brief(value)}" was stored before the call`;
    if (!exists && applied.length > 0) yield `"${brief(value)}" was stored in no database`;
  }
  if (outcome.kind === "pending") return yield "it never ended";
  if (outcome.kind === "rejected") {
    const wrong = checkError(call, outcome.error, history, conditions);
    if (wrong !== null) yield wrong;
    if (!wasSent(call, outcome.error)) {
      for (const { value, applied } of writes) {
        if (applied.length > 0) yield `"${brief(value)}" was stored, but not sent`;
      }
    }
    if (outcome.error instanceof BulkError && conditions.trustworthy) {
      const confirmed = writes.slice(0, outcome.error.confirmed).filter(({ exists }) => exists);
      const absent = confirmed.filter(({ applied }) => applied.length !== 1);
      if (!call.noReply && absent.length > 0) {
        yield `${absent.length} of ${outcome.error.confirmed} confirmed records are missing`;
      }
    }
    return;
  }
  if (!conditions.trustworthy) return;
  yield* call.complaints;
  if (call.stillborn) yield "it succeeded though it was aborted before it was made";
  if (call.noReply) return;
  for (const { value, applied, exists } of writes) {
    if (!exists) continue;
    if (call.declined) {
      if (applied.length > 0) yield `"${brief(value)}" was stored, but declined`;
    } else if (applied.length === 0) yield `"${brief(value)}" was confirmed, but not stored`;
    else if (applied[0] > call.end) yield `"${brief(value)}" was stored after it was confirmed`;
  }
  for (const sight of call.sights) {
    const wrong = checkSight(sight, call, history, conditions);
    if (wrong !== null) yield wrong;
  }
}

/** Whether the error is one that this call may reject with. */
function checkError(
  call: CallRecord,
  error: unknown,
  history: History,
  conditions: Conditions,
): string | null {
  if (call.expected.has(error)) return null;
  if (error instanceof BulkError) {
    return call.inOrder ? "it was one request" : checkError(call, error.cause, history, conditions);
  }
  if (error instanceof ProtocolError) {
    return conditions.mayBreakProtocol ? null : `it rejected with ${describe(error)}`;
  }
  if (error instanceof ServerError) {
    return call.refusable || conditions.mayRefuse ? null : `it rejected with ${describe(error)}`;
  }
  if (error instanceof ClosedError) return checkClosed(call, error, history);
  if (error instanceof TimeoutError) {
    const right = error.phase === "reply" ? error.sent : !error.sent;
    return right ? null : `"${error.phase}" and sent: ${error.sent} do not go together`;
  }
  // Keys that are no text any more.
  const wrongKeys = !conditions.trustworthy && call.op === "playScript" &&
    error instanceof TypeError;
  const known = error instanceof KyotoTycoonError || wrongKeys;
  return known ? null : `it rejected with ${describe(error)}`;
}

/** What was called before `close()` still comes to its end; what is called after it is not sent. */
function checkClosed(call: CallRecord, error: ClosedError, { ending }: History): string | null {
  if (ending === null || ending.at > call.end) return "the client was not closed";
  if (call.start > ending.at) return error.sent ? "it was sent by a closed client" : null;
  return ending.how === "close" && call.inOrder ? "close() did not wait for it" : null;
}

/** Whether the call's request may have reached the server. */
function wasSent(call: CallRecord, error: unknown): boolean {
  if (call.stillborn || error instanceof QueueFullError) return false;
  const known = error instanceof ConnectionError || error instanceof TimeoutError ||
    error instanceof ClosedError;
  return known ? error.sent : true;
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Whether a place held what was seen there at some time during the call. */
function checkSight(
  { place, exists, value, other = false, expires }: Sight,
  call: CallRecord,
  history: History,
  { ordered }: Conditions,
): string | null {
  const what = `${other ? "other than " : ""}${brief(value)}`;
  if (!exists) return (value === null) !== other ? null : `${what} was seen in no database`;
  const changes = history.changes(place);
  // What this client wrote before, and was told to be stored, is there.
  const since = ordered && call.inOrder ? lastOwnWrite(call, place, history) : call.start;
  const held = changes.some((change, i) =>
    change.at <= call.end && (changes[i + 1]?.at ?? Infinity) >= since &&
    (change.value === value) !== other && (expires === undefined || expires === change.expires)
  );
  if (held) return null;
  const past = changes.slice(-10).map(({ at, value }) => `${at} ${brief(value)}`).join(", ");
  return `${what} was seen in ${place} between ${since} and ${call.end} (${past})`;
}

/** When the latest confirmed write to a place was stored that was made before a call; or its start. */
function lastOwnWrite(call: CallRecord, place: string, history: History): number {
  let since = call.start;
  for (const earlier of history.calls) {
    if (earlier.start >= call.start) break;
    if (!earlier.inOrder || !isConfirmed(earlier)) continue;
    for (const write of earlier.writes) {
      if (write.place === place) since = Math.max(since, ...write.applied);
    }
  }
  return since;
}

function isConfirmed(call: CallRecord): boolean {
  return call.outcome.kind === "resolved" && !call.noReply;
}

/** With one connection, what was written first is stored first. */
function* checkOrder(history: History): Generator<string, void, void> {
  const last = new Map<string, { at: number; value: string }>();
  for (const call of history.calls) {
    if (!call.inOrder || !isConfirmed(call)) continue;
    for (const { place, value, applied } of call.writes) {
      if (applied.length === 0 || place === null) continue;
      const before = last.get(place);
      if (before !== undefined && before.at > applied[0]) {
        yield `"${brief(value)}" was stored before "${
          brief(before.value)
        }", which was written first`;
      }
      last.set(place, { at: applied[0], value });
    }
  }
}

/** Removals and counts bear no mark of the call that they come from, but they can be counted. */
function* checkDeeds(
  history: History,
  { trustworthy }: Conditions,
): Generator<string, void, void> {
  const counts = new Map<string, { certain: number; possible: number }>();
  const name = (what: string, place: string) => `${place} was ${what}`;
  for (const call of history.calls) {
    const { outcome } = call;
    const sent = outcome.kind !== "rejected" || wasSent(call, outcome.error);
    const confirmed = trustworthy && isConfirmed(call);
    for (const { what, place, exists, isCertain } of call.deeds) {
      const count = counts.get(name(what, place)) ?? { certain: 0, possible: 0 };
      counts.set(name(what, place), count);
      if (confirmed && isCertain) count.certain++;
      if (sent && exists) count.possible++;
    }
  }
  const done = new Map<string, number>();
  for (const place of history.places) {
    for (const { deed } of history.changes(place)) {
      if (deed !== undefined) done.set(name(deed, place), (done.get(name(deed, place)) ?? 0) + 1);
    }
  }
  for (const deed of new Set([...counts.keys(), ...done.keys()])) {
    const { certain, possible } = counts.get(deed) ?? { certain: 0, possible: 0 };
    const n = done.get(deed) ?? 0;
    if (n < certain) yield `${deed} ${n} times, but ${certain} of these are confirmed`;
    if (n > possible) yield `${deed} ${n} times, but ${possible} of these were sent`;
  }
}

/** No two calls have counted to the same number. */
function* checkCounts(history: History): Generator<string, void, void> {
  const counted = new Map<string, CallRecord>();
  for (const call of history.calls) {
    if (call.op !== "increment") continue;
    for (const { place, value } of call.sights) {
      const other = counted.get(`${place} ${value}`);
      if (other !== undefined) yield `${call.about} and ${other.about} both came to ${value}`;
      counted.set(`${place} ${value}`, call);
    }
  }
}
