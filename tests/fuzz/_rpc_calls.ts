/** What planned calls of HTTP's procedures ask for, and what they must bring. */

import { type Attempt, compareKeys, given, sight, sightOf } from "./_attempt.ts";
import { existing, placeOf } from "./_history.ts";
import { COUNTER, DATABASE_NAMES, type Op, type PlannedCall } from "./_plan.ts";

/** Makes a call of these kinds; `null`: it is of another. */
export function callProcedure(attempt: Attempt, planned: PlannedCall): Promise<void> | null {
  switch (planned.op) {
    case "add":
      return add(attempt, planned);
    case "replace":
      return replace(attempt, planned);
    case "cas":
      return cas(attempt, planned);
    case "append":
      return append(attempt, planned);
    case "seize":
      return seize(attempt, planned);
    case "increment":
      return increment(attempt, planned);
    case "matchPrefix":
      return matchPrefix(attempt, planned);
    case "entries":
      return entries(attempt, planned);
    case "cursor":
      return cursor(attempt, planned);
    default:
      return null;
  }
}

async function add(attempt: Attempt, { key }: Op<"add" | "replace" | "seize">): Promise<void> {
  const { call, client, limits } = attempt;
  const mayReplace = (value: string | null) => value === null;
  const { value } = attempt.write(key, { mayReplace });
  const options = { ...limits, database: key.database };
  call.declined = !await client.add(given(key), value, options);
  call.sights.push({ ...sight(key, null), other: call.declined });
}

async function replace(attempt: Attempt, { key }: Op<"add" | "replace" | "seize">): Promise<void> {
  const { call, client, limits } = attempt;
  const mayReplace = (value: string | null) => value !== null;
  const { value } = attempt.write(key, { mayReplace });
  const options = { ...limits, database: key.database };
  call.declined = !await client.replace(given(key), value, options);
  call.sights.push({ ...sight(key, null), other: !call.declined });
}

async function cas(attempt: Attempt, planned: Op<"cas">): Promise<void> {
  const { call, client, history, limits } = attempt;
  const { key, expects, removes } = planned;
  const expected = expects === "nothing" ? null : history.value(placeOf(key));
  const mayReplace = (value: string | null) => value === expected;
  const next = removes ? null : attempt.write(key, { mayReplace }).value;
  const deed = removes ? attempt.perhapsRemove(key) : undefined;
  const options = { ...limits, database: key.database };
  call.declined = !await client.cas(given(key), expected, next, options);
  if (deed !== undefined) deed.isCertain = !call.declined && expected !== null;
  call.sights.push({ ...sight(key, expected), other: call.declined });
}

async function append(attempt: Attempt, { log }: Op<"append">): Promise<void> {
  const { client, limits } = attempt;
  const { value } = attempt.write(log);
  await client.append(given(log), value, { ...limits, database: log.database });
}

async function seize(attempt: Attempt, { key }: Op<"add" | "replace" | "seize">): Promise<void> {
  const { call, client, limits } = attempt;
  const deed = attempt.perhapsRemove(key);
  const options = { ...limits, database: key.database };
  const value = await client.seize(given(key), options);
  deed.isCertain = value !== null;
  call.sights.push(sight(key, value));
}

async function increment(attempt: Attempt, planned: Op<"increment">): Promise<void> {
  const { call, client, limits } = attempt;
  const place = placeOf({ database: 0, name: planned.counter });
  call.deeds.push({ what: "counted", place, exists: true, isCertain: true });
  const value = await client.increment(planned.counter, 1, limits);
  call.sights.push({ place, exists: true, value: String(value) });
}

async function matchPrefix(attempt: Attempt, planned: Op<"matchPrefix">): Promise<void> {
  const { call, client, limits } = attempt;
  const { database, prefix } = planned;
  call.refusable = !existing(planned);
  const found = await client.matchPrefix(prefix, {
    ...limits,
    database,
    keys: "text",
  });
  attempt.seeAll(database, prefix, found);
}

async function entries(attempt: Attempt, planned: Op<"entries">): Promise<void> {
  const { call, client, limits } = attempt;
  const { database, take } = planned;
  call.refusable = !existing(planned);
  call.inOrder = false;
  const found: string[] = [];
  const entries = client.entries({ ...limits, database, keys: "text" });
  for await (const { key, value, expiresAt } of entries) {
    found.push(key);
    const place = { database, name: key, asBytes: false };
    if (!key.startsWith(COUNTER)) call.sights.push(sightOf(place, { value, expiresAt }));
    if (found.length === take) break;
  }
  // Only what is ordered is certain to be complete while others change it.
  if (DATABASE_NAMES[database] !== "%") return;
  const sorted = [...new Set(found)].sort(compareKeys);
  if (found.join() !== sorted.join()) call.complaints.push(`its keys are ${found.join()}`);
  if (found.length < take) attempt.seeAll(database, "", found);
}

async function cursor(attempt: Attempt, { key, sets }: Op<"cursor">): Promise<void> {
  const { call, client, limits } = attempt;
  const { database } = key;
  call.refusable = !existing(key);
  call.inOrder = false;
  const cursor = client.database(database).cursor({ keys: "text" });
  // Whoever gives up does not wait until the server has forgotten it.
  using _ = { [Symbol.dispose]: () => void cursor.close() };
  const found = await cursor.jump(given(key), limits);
  // An ordered one goes on to the next key.
  if (!found || DATABASE_NAMES[database] === "*") {
    call.sights.push({ ...sight(key, null), other: found });
  }
  // It may stand on another key by now: in the first database, on one that is not to be set.
  if (found && sets && database > 0) {
    const { value } = attempt.write(null, { mayReplace: (value) => value !== null });
    call.declined = !await cursor.setValue(value, limits);
  } else if (found) {
    const entry = await cursor.get(limits);
    if (entry === null || entry.key.startsWith(COUNTER)) return;
    call.sights.push(sightOf({ database, name: entry.key, asBytes: false }, entry));
  }
}
