/** What planned calls of the binary protocol ask for, and what they must bring. */

import type { Entry } from "../../mod.ts";
import { FRAME_LIMITS } from "../../src/operations/frames.ts";
import { type Attempt, given, removal, sight, sightOf } from "./_attempt.ts";
import { existing } from "./_history.ts";
import type { Op, PlannedCall } from "./_plan.ts";

const decoder = new TextDecoder();
/** How long records live that end, in milliseconds: longer than any run. */
const LIFETIME = 3_600_000;

/** Makes a call of these kinds; `null`: it is of another. */
export function callInBinary(attempt: Attempt, planned: PlannedCall): Promise<void> | null {
  switch (planned.op) {
    case "get":
      return get(attempt, planned);
    case "getEntry":
      return getEntry(attempt, planned);
    case "set":
      return set(attempt, planned);
    case "remove":
      return remove(attempt, planned);
    case "getBulk":
      return getBulk(attempt, planned);
    case "getBulkStream":
      return getBulkStream(attempt, planned);
    case "setBulk":
      return setBulk(attempt, planned);
    case "removeBulk":
      return removeBulk(attempt, planned);
    case "playScript":
      return playScript(attempt, planned);
    case "ping":
      return attempt.client.ping(attempt.limits);
    default:
      return null;
  }
}

async function get(attempt: Attempt, { key, picky }: Op<"get" | "getEntry">): Promise<void> {
  const { call, client, limits } = attempt;
  const options = { ...limits, database: key.database };
  const value = picky
    ? await attempt.picky.get(given(key), options)
    : await client.get(given(key), options);
  call.sights.push(sight(key, value));
}

async function getEntry(attempt: Attempt, { key, picky }: Op<"get" | "getEntry">): Promise<void> {
  const { call, client, limits } = attempt;
  const options = { ...limits, database: key.database }, wanted = given(key);
  const entry: Entry<Uint8Array | string> | null = picky
    ? await attempt.picky.getEntry(wanted, options)
    : await client.getEntry(wanted, options);
  if (entry === null) call.sights.push(sight(key, null));
  else if (entry.key !== wanted || entry.database !== key.database) {
    call.complaints.push("the entry bears another key");
  } else call.sights.push(sightOf(key, entry));
}

async function set(attempt: Attempt, planned: Op<"set">): Promise<void> {
  const { call, client, limits } = attempt;
  const { key, padding, expires, noReply } = planned;
  const end = expires ? attempt.seconds() + LIFETIME / 1000 : null;
  const { value } = attempt.write(key, { padding, expires: end });
  await client.set(given(key), value, {
    ...limits,
    database: key.database,
    noReply,
    ...(expires ? { expireIn: LIFETIME } : {}),
  });
  if (!noReply && !existing(key)) call.complaints.push("it set a record in no database");
}

async function remove(attempt: Attempt, { key, noReply }: Op<"remove">): Promise<void> {
  const { call, client, limits } = attempt;
  const { key: taken, isOwn } = attempt.take(key);
  call.deeds.push(removal(taken));
  const options = { ...limits, database: taken.database, noReply };
  const found: boolean | void = await client.remove(given(taken), options);
  if (noReply) return;
  if (typeof found !== "boolean") call.complaints.push(`it returned ${found}`);
  else if (found && !existing(taken)) call.complaints.push("it removed from no database");
  else if (isOwn && !found) call.complaints.push("it did not find what nobody else removes");
}

async function getBulk(attempt: Attempt, planned: Op<"getBulk">): Promise<void> {
  const { client, limits } = attempt;
  const { keys, picky, pause } = planned;
  const asked = keys.map((key) => ({ key: given(key), database: key.database }));
  const source = attempt.source(asked, pause);
  const entries: Entry<Uint8Array | string>[] = picky
    ? await attempt.picky.getBulk(source, limits)
    : await client.getBulk(source, limits);
  attempt.see(keys, asked, entries);
}

async function getBulkStream(
  attempt: Attempt,
  { keys, take, pause }: Op<"getBulkStream">,
): Promise<void> {
  const { call, client, limits } = attempt;
  call.inOrder = false;
  const asked = keys.map((key) => ({ key: given(key), database: key.database }));
  const entries: Entry[] = [];
  const source = attempt.source(asked, pause);
  for await (const entry of client.getBulkStream(source, limits)) {
    if (entries.push(entry) >= take) break;
  }
  if (entries.length < take) attempt.see(keys, asked, entries);
}

async function setBulk(attempt: Attempt, planned: Op<"setBulk">): Promise<void> {
  const { call, client, limits } = attempt;
  const { keys, padding, noReply, pause } = planned;
  if (keys.length * padding > FRAME_LIMITS.bytes / 2) call.inOrder = false;
  const records = keys.map((key) => ({
    key: given(key),
    value: attempt.write(key, { padding }).value,
    database: key.database,
  }));
  const count: number | void = await client.setBulk(
    attempt.source(records, pause),
    {
      ...limits,
      noReply,
    },
  );
  const stored = keys.filter(existing).length;
  if (!noReply && count !== stored) {
    call.complaints.push(`it stored ${count} records instead of ${stored}`);
  }
}

async function removeBulk(attempt: Attempt, planned: Op<"removeBulk">): Promise<void> {
  const { call, client, limits } = attempt;
  const { noReply, pause } = planned;
  const taken = planned.keys.map((key) => attempt.take(key));
  const asked = taken.map(({ key }) => ({ key: given(key), database: key.database }));
  for (const { key } of taken) call.deeds.push(removal(key));
  const source = attempt.source(asked, pause);
  const options = { ...limits, noReply };
  const count: number | void = await client.removeBulk(source, options);
  if (noReply) return;
  const least = taken.filter(({ isOwn }) => isOwn).length;
  // Others may store a record between two removals of it.
  const most = call.deeds.filter(({ exists }) => exists).length;
  if (typeof count !== "number" || count < least || count > most) {
    call.complaints.push(`it removed ${count} records, not ${least} to ${most}`);
  }
}

async function playScript(attempt: Attempt, planned: Op<"playScript">): Promise<void> {
  const { call, client, limits } = attempt;
  const { procedure, noReply } = planned;
  call.refusable = true;
  // A procedure's input is a map, and its records are stored in the first database.
  const places = new Map(planned.keys.map((key) => [key.name, { ...key, database: 0 }]));
  const stores = procedure === "store" || procedure === "later";
  const input: [Key: string | Uint8Array, value: string][] = [...places.values()].map((key) => [
    given(key),
    stores ? attempt.write(key).value : "unused",
  ]);
  if (noReply) return await client.playScript(procedure, input, { ...limits, noReply });
  const output = await client.playScript(procedure, input, limits);
  if (!stores) call.complaints.push("it succeeded");
  const echo = new Map([...output].map(([key, value]) => [key, decoder.decode(value)]));
  const right = echo.size === call.writes.length &&
    [...places.keys()].every((name, i) => echo.get(name) === call.writes[i].value);
  if (stores && !right) call.complaints.push("its output is another's");
}
