/** Keys, values and hand-made messages: 8-byte keys and 32-byte values, except where said otherwise. */

/** How many different keys there are; the calls take them in turn. */
export const KEY_COUNT = 1000;
export const KEY_SIZE = 8;
export const VALUE_SIZE = 32;

/** "b0000000" and so on. */
export const keys: string[] = Array.from({ length: KEY_COUNT }, (_, i) => keyOf(i));

/** Each key's value, all of them different; flat strings, not concatenations yet to be made. */
export const values: string[] = JSON.parse(JSON.stringify(keys.map(valueOf)));

export const pairs: [string, string][] = keys.map((key, i) => [key, values[i]]);

export function keyOf(i: number): string {
  return `b${`${i}`.padStart(KEY_SIZE - 1, "0")}`;
}

export function valueOf(key: string): string {
  return key.repeat(VALUE_SIZE / KEY_SIZE);
}

const SET_BULK = 0xb8, GET_BULK = 0xba;
const HEADER_SIZE = 9, KEY_HEADER_SIZE = 6, RECORD_HEADER_SIZE = 18;
const NEVER = 0x7fff_ffff_ffff_ffffn;
const encoder = new TextEncoder();

/** A get_bulk request for some keys. */
export function getRequest(keys: readonly string[]): Uint8Array<ArrayBuffer> {
  const encoded = keys.map((key) => encoder.encode(key));
  const size = encoded.reduce((sum, key) => sum + KEY_HEADER_SIZE + key.length, HEADER_SIZE);
  const { bytes, view } = request(size, GET_BULK, keys.length);
  let at = HEADER_SIZE;
  for (const key of encoded) {
    view.setUint32(at + 2, key.length);
    bytes.set(key, at + KEY_HEADER_SIZE);
    at += KEY_HEADER_SIZE + key.length;
  }
  return bytes;
}

/** A set_bulk request for some records that never expire. */
export function setRequest(
  records: readonly (readonly [key: string, value: string | Uint8Array])[],
): Uint8Array<ArrayBuffer> {
  const encoded = records.map(([key, value]) =>
    [encoder.encode(key), typeof value === "string" ? encoder.encode(value) : value] as const
  );
  const size = encoded.reduce(
    (sum, [key, value]) => sum + RECORD_HEADER_SIZE + key.length + value.length,
    HEADER_SIZE,
  );
  const { bytes, view } = request(size, SET_BULK, records.length);
  let at = HEADER_SIZE;
  for (const [key, value] of encoded) {
    view.setUint32(at + 2, key.length);
    view.setUint32(at + 6, value.length);
    view.setBigInt64(at + 10, NEVER);
    bytes.set(key, at + RECORD_HEADER_SIZE);
    bytes.set(value, at + RECORD_HEADER_SIZE + key.length);
    at += RECORD_HEADER_SIZE + key.length + value.length;
  }
  return bytes;
}

/** The reply to a get_bulk request for some records that never expire. */
export function getReply(
  records: readonly (readonly [key: string, value: string])[],
): Uint8Array<ArrayBuffer> {
  // Records look the same in both; the request has flags before the count.
  const request = setRequest(records), reply = request.slice(HEADER_SIZE - COUNT_SIZE);
  reply[0] = GET_BULK;
  reply.set(request.subarray(HEADER_SIZE - 4, HEADER_SIZE), 1);
  return reply;
}

function request(size: number, magic: number, count: number) {
  const bytes = new Uint8Array(size), view = new DataView(bytes.buffer);
  bytes[0] = magic;
  view.setUint32(5, count);
  return { bytes, view };
}

/** The size of a set_bulk reply, and of what stands before the records in a get_bulk reply. */
export const COUNT_SIZE = 5;

/** The size of the reply to a get_bulk request whose keys are all there. */
export function getReplySize(count: number, keySize = KEY_SIZE, valueSize = VALUE_SIZE): number {
  return COUNT_SIZE + count * (RECORD_HEADER_SIZE + keySize + valueSize);
}

/** Where the value stands in the reply to a request for one key. */
export const VALUE_START = COUNT_SIZE + RECORD_HEADER_SIZE + KEY_SIZE;
