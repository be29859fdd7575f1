/** What the mock server does wrong, on purpose: rules that each fire at a certain request. */

import type { Operation } from "./recorder.ts";

/** What happens to a request, or to a connection, instead of the usual. */
export type FaultAction =
  /** The reply never comes; nothing more is read from the connection. */
  | "hang"
  /** The connection is closed without a reply. */
  | "disconnect"
  /** The same with a reset, where the runtime can (Deno cannot, and closes). */
  | "reset"
  /** The reply is the error byte `bf` (500 in HTTP), followed by what the real server does then. */
  | "error"
  /** The first byte of the reply is none that a reply can begin with. */
  | "wrong-magic"
  /** The reply announces gigabytes, and then nothing comes. */
  | "oversized"
  /** The connection is closed as soon as it was accepted. With `op: "connect"` only. */
  | "refuse"
  /** The connection is accepted, and nothing is ever read from it. With `op: "connect"` only. */
  | "never-read"
  /** The request is executed so many milliseconds later. */
  | { readonly delay: number }
  /** The connection is closed after so many bytes of the reply. */
  | { readonly truncate: number }
  /** The reply comes in pieces of these sizes and a rest, `gap` milliseconds apart (10). */
  | { readonly split: readonly number[]; readonly gap?: number }
  /** The byte at this place of the reply is wrong: all its bits are turned, or it is `to`. */
  | { readonly corrupt: number; readonly to?: number };

/** Which requests a fault meets. */
export interface FaultRule {
  /** The request, or `"connect"` for a connection being accepted. Default: any request. */
  op?: Operation | "connect";
  /** Only requests that name a record of this database; binary requests only. */
  database?: number;
  /** Only this connection; they are numbered from 1. */
  connection?: number;
  /** The first one to be met, counting from 1 those that the rest of the rule is true of. Default: 1. */
  nth?: number;
  /** How many are met in a row. Default: 1. */
  times?: number;
  /**
   * Whether the request is executed all the same, for actions that withhold its reply (`"hang"`,
   * `"disconnect"`, `"reset"`). Requests of HTTP always are. Default: no.
   */
  executed?: boolean;
  /** What happens. */
  action: FaultAction;
}

/** A rule that was added to a server. */
export interface Fault {
  /** The rule. */
  readonly rule: FaultRule;
  /** How often it has fired. */
  readonly fired: number;
  /** Takes the rule away. */
  remove(): void;
}

/** What a rule is held against. */
export interface FaultSubject {
  /** The request, or `"connect"`. */
  readonly op: Operation | "connect";
  /** The number of the connection. */
  readonly connection: number;
  /** The databases that the request names; none in HTTP. */
  readonly databases: ReadonlySet<number>;
}

/**
 * The faults of a server. The first rule that is true of a request fires; without rules nothing is
 * slower than usual.
 *
 * @example The second `get` loses its connection
 * ```ts
 * import { connect, ConnectionError } from "@kyoto/tycoon";
 * import { startMockServer } from "@kyoto/tycoon/mock-server";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using server = await startMockServer();
 * const fault = server.faults.add({ op: "set_bulk", nth: 2, action: "disconnect" });
 * await using kt = await connect(server.url);
 * await kt.set("k", "1");
 * await assertRejects(() => kt.set("k", "2"), ConnectionError);
 * assertEquals(fault.fired, 1);
 * server.faults.assertAllFired();
 * ```
 */
export class Faults {
  #faults: AddedFault[] = [];

  /** Whether there are any rules. */
  get active(): boolean {
    return this.#faults.length > 0;
  }

  /**
   * Adds a rule.
   *
   * @throws {TypeError} The action does not go with the rest of the rule.
   * @throws {RangeError} A number is out of its range.
   */
  add(rule: FaultRule): Fault {
    check(rule);
    const fault = new AddedFault(rule, () => {
      this.#faults = this.#faults.filter((other) => other !== fault);
    });
    this.#faults = [...this.#faults, fault];
    return fault;
  }

  /** Takes all rules away. */
  clear(): void {
    this.#faults = [];
  }

  /** The rules, in the order in which they were added. */
  [Symbol.iterator](): Iterator<Fault> {
    return this.#faults[Symbol.iterator]();
  }

  /**
   * Fails if there is a rule that has never fired.
   *
   * @throws {Error} It names the rules.
   */
  assertAllFired(): void {
    const idle = this.#faults.filter((fault) => fault.fired === 0);
    if (idle.length === 0) return;
    const rules = idle.map(({ rule }) => JSON.stringify(rule)).join(", ");
    throw new Error(`Cannot confirm that all faults fired: these did not: ${rules}`);
  }

  /** Counts a request, and returns the rule that fires. */
  match(subject: FaultSubject): FaultRule | undefined {
    // Every rule counts for itself, whichever of them fires.
    const due = this.#faults.filter((fault) => fault.isDue(subject));
    if (due.length === 0) return undefined;
    due[0].fired++;
    return due[0].rule;
  }
}

class AddedFault implements Fault {
  readonly rule: FaultRule;
  readonly remove: () => void;
  fired = 0;
  #seen = 0;

  constructor(rule: FaultRule, remove: () => void) {
    this.rule = rule;
    this.remove = remove;
  }

  /** Counts a request that the rule is true of; whether it is to fire now. */
  isDue(subject: FaultSubject): boolean {
    const { op, database, connection, nth = 1, times = 1 } = this.rule;
    if (op === undefined ? subject.op === "connect" : op !== subject.op) return false;
    if (connection !== undefined && connection !== subject.connection) return false;
    if (database !== undefined && !subject.databases.has(database)) return false;
    const seen = ++this.#seen;
    return seen >= nth && seen < nth + times;
  }
}

const OPERATIONS: readonly (Operation | "connect")[] = [
  "set_bulk",
  "remove_bulk",
  "get_bulk",
  "play_script",
  "replication",
  "http",
  "connect",
];
const ON_CONNECTIONS: readonly unknown[] = ["refuse", "never-read", "reset"];
const ON_REQUESTS: readonly unknown[] = [
  "hang",
  "disconnect",
  "reset",
  "error",
  "wrong-magic",
  "oversized",
];

function check({ op, database = 0, connection = 1, nth = 1, times = 1, action }: FaultRule): void {
  const numbers: Record<string, number> = { database, connection, nth, times };
  if (typeof action === "object") {
    const { delay = 0, truncate = 0, corrupt = 0, to = 0, split = [], gap = 0 } = action as Partial<
      Record<string, number> & { split: readonly number[] }
    >;
    Object.assign(numbers, { delay, truncate, corrupt, to, gap, ...split });
  }
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value >= 0)) throw new RangeError(`Cannot add a fault: "${name}" is ${value}`);
  }
  if (op !== undefined && !OPERATIONS.includes(op)) {
    throw new TypeError(`Cannot add a fault: there is no operation "${op}"`);
  }
  const known = op === "connect" ? ON_CONNECTIONS : ON_REQUESTS;
  if (typeof action === "object" ? op === "connect" : !known.includes(action)) {
    throw new TypeError(
      `Cannot add a fault: "${op ?? "any request"}" does not go with ${JSON.stringify(action)}`,
    );
  }
}

/**
 * Reads a rule from text: `operation:nth:action`, and for some actions more: `get_bulk:3:disconnect`,
 * `any:1:delay:500` (milliseconds), `get_bulk:1:truncate:7` (bytes), `set_bulk:2:split:1,2` (bytes),
 * `get_bulk:1:corrupt:0` (place), `connect:1:refuse`. `3-5` for nth are three in a row, `3-` is the
 * third and all that follow.
 *
 * @throws {TypeError} It is something else.
 */
export function parseFault(text: string): FaultRule {
  const match = /^([^:]+):(\d+)(-(\d*))?:([^:]+)(?::([\d,]+))?$/.exec(text);
  const numbers = match?.[6]?.split(",").map(Number) ?? [];
  const action = match === null ? undefined : actionOf(match[5], numbers);
  if (match === null || action === undefined) {
    throw new TypeError(`"${text}" is no fault such as "get_bulk:3:disconnect"`);
  }
  const nth = Number(match[2]);
  const last = match[3] === undefined ? nth : match[4] === "" ? Infinity : Number(match[4]);
  const op = match[1] === "any" ? undefined : match[1] as Operation;
  const rule = { op, nth, times: last - nth + 1, action };
  check(rule);
  return rule;
}

function actionOf(name: string, numbers: number[]): FaultAction | undefined {
  if (name === "split" && numbers.length > 0) return { split: numbers };
  const [number] = numbers;
  if (numbers.length > 1) return undefined;
  if (number === undefined) {
    return ON_REQUESTS.includes(name) || ON_CONNECTIONS.includes(name)
      ? name as FaultAction
      : undefined;
  }
  switch (name) {
    case "delay":
      return { delay: number };
    case "truncate":
      return { truncate: number };
    case "corrupt":
      return { corrupt: number };
    default:
      return undefined;
  }
}
