/** Numbers of Kyoto Tycoon's binary protocol (docs/protocol.md, sections 1 to 4). */

/** The first byte of a request, and of the reply to it. */
export const Magic = {
  HEARTBEAT: 0xb0,
  REPLICATION: 0xb1,
  PLAY_SCRIPT: 0xb4,
  SET_BULK: 0xb8,
  REMOVE_BULK: 0xb9,
  GET_BULK: 0xba,
  ERROR: 0xbf,
} as const;

/** Bit 0 of the flags: no reply, or in a replication request the white list. */
export const FLAG_NO_REPLY = 1;
export const FLAG_WHITE_LIST = 1;

/** The most bytes that a key, a value or a procedure's name may announce: 2^28, itself allowed. */
export const MAX_SIZE = 0x1000_0000;

/** The highest database index that fits the wire's 16 bits. */
export const MAX_DATABASE = 0xffff;

/** An expiration time at or above this many seconds means never: 2^40 - 1. */
export const NEVER = 0xff_ffff_ffff;

/** What a request sends for "never": the largest 64-bit number, 2^63 - 1 (as a double, 2^63). */
export const XT_NEVER = 2 ** 63;

/** Bytes of the fixed parts. */
export const BULK_HEADER_SIZE = 9;
export const COUNT_SIZE = 5;
export const KEY_HEADER_SIZE = 6;
export const RECORD_HEADER_SIZE = 18;
export const SCRIPT_HEADER_SIZE = 13;
export const SCRIPT_RECORD_HEADER_SIZE = 8;
export const REPLICATION_HEADER_SIZE = 15;

/** Bytes that a row of a procedure's output counts for beside its own: about what its objects take. */
export const ROW_COST = 128;
