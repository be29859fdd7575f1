/** The player of recorded scenarios notices every kind of difference. */

import { assertStringIncludes } from "@std/assert";
import { startMockServer } from "../mock_server/mod.ts";
import { test } from "./_harness.ts";
import { Mismatch } from "./peer.ts";
import { replay } from "./replay.ts";
import type { Scenario, Step } from "./transcripts.ts";

const SET = "b80000000000000001000000000001000000010000000000000258" + "6b76";
const GET = "ba00000000000000010000000000016b";
const FOUND = "ba0000000100000000000100000001";

async function play(steps: Step[], options: Partial<Scenario> = {}): Promise<void> {
  await using server = await startMockServer();
  await replay({ name: "n", title: "t", config: "c", folder: "bin", ...options, steps }, server);
}

/** Asserts that the player objects to the last step, or to what is left over. */
async function assertObjects(steps: Step[], message: string): Promise<void> {
  const error = await play(steps).then(() => undefined, (error) => error);
  if (!(error instanceof Mismatch)) throw error ?? new Error(`No objection: ${message}`);
  assertStringIncludes(error.message, message);
}

const stored: Step[] = [{ send: [SET] }, { expect: ["b800000001"] }];

test("the player is content with what was recorded", async () => {
  await play([
    ...stored,
    { send: [GET] },
    { expect: [FOUND, { xt: 600, tol: 2 }, "6b76"] },
    { send: [SET, GET], chunks: [3, 5], gap_ms: 2 },
    { expect: ["b800000001", FOUND, { xt: 600 }, "6b76"] },
    { quiet_ms: 20 },
    { send: ["b9", { repeat: "00", count: 8 }], chunks: "bytes", conn: "b" },
    { expect: ["b9", { repeat: "00", count: 4 }], conn: "b" },
    { disconnect: true, conn: "b" },
    { half_close: true },
    { expect_close: true },
  ]);
});

test("the player counts from the start of the scenario, or from the last mark", async () => {
  await play([
    { mark: true },
    { send: ["b80000000000000001000000000001000000", "01", { xt: 1000, neg: true }, "6b76"] },
    { expect: ["b800000001"] },
    { sleep_until_ms: 5 },
    { send: [GET] },
    { expect: [FOUND, { xt: 1000, tol: 0 }, "6b76"] },
  ], { early_in_second: true });
});

test("the player objects to other bytes, and says where they are", async () => {
  await assertObjects(
    [{ send: [SET] }, { expect: ["b800000002"] }],
    "step 1 (expect): piece 0: byte 4",
  );
});

test("the player objects to an expiration that is not near", async () => {
  const get: Step = { send: [GET] };
  await assertObjects(
    [...stored, get, { expect: [FOUND, { xt: 604, tol: 2 }, "6b76"] }],
    "step 3 (expect): piece 1: expiration",
  );
});

test("the player objects when too little comes in time", async () => {
  await assertObjects(
    [{ send: [SET] }, { expect: ["b80000000100"], within_ms: 50 }],
    "after 5 of 6 bytes",
  );
});

test("the player objects to bytes that nobody expected", async () => {
  await assertObjects([{ send: [SET] }], 'surplus at the end on "a": b800000001');
  await assertObjects([{ send: [SET] }, { quiet_ms: 200 }], "bytes instead of silence");
  await assertObjects(
    [{ send: [SET] }, { half_close: true }, { expect_close: true }],
    "surplus before the close",
  );
});

test("the player objects to a close that comes, or does not", async () => {
  await assertObjects([{ send: ["ff"] }, { quiet_ms: 200 }], "instead of silence");
  await assertObjects([{ send: ["ff"] }, { expect: ["bf"] }], "after 0 of 1 bytes");
  await assertObjects([...stored, { expect_close: true, within_ms: 50 }], "not closed");
});

test("the player objects when nobody connects to its listener", async () => {
  await assertObjects(
    [{ listen: "m" }, { accept: "m", conn: "m", within_ms: 20 }],
    "nobody connected",
  );
});
