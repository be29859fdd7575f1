/** Where messages are encoded to: one growing buffer that is used again and again. */

import type { Key } from "../types.ts";
import { putBytes, type RecordBytes } from "./bytes.ts";
import { charCode } from "./char_code.ts";

const encoder = new TextEncoder();

/** From this size on, given bytes are referred to instead of copied. */
const REFERENCE_SIZE = 32 * 1024;
/** A buffer that grew beyond this is not kept for the next use. */
const KEPT_CAPACITY = 1024 * 1024;
const FIRST_CAPACITY = 1024;
/** Up to this many characters a plain loop beats the call into the runtime's encoder. */
const LOOP_SIZE = 48;

/** A string as UTF-8; bytes as they are. */
export function toBytes(data: Key): Uint8Array {
  if (typeof data !== "string") return data;
  const { length } = data;
  if (length > LOOP_SIZE) return encoder.encode(data);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const c = charCode(data, i);
    if (c > 0x7f) return encoder.encode(data);
    bytes[i] = c;
  }
  return bytes;
}

/**
 * Encodes messages one behind the other. Multi-byte numbers are big-endian. Large pieces of bytes are
 * not copied but referred to, so they must not change until what {@linkcode take} returned has been
 * sent.
 */
export class ByteWriter {
  #buffer = new Uint8Array(FIRST_CAPACITY);
  /** End of what is written to the buffer, and of what `#parts` already covers. */
  #end = 0;
  #covered = 0;
  #parts: Uint8Array[] = [];
  #partBytes = 0;

  /** Bytes written since the last {@linkcode reset}. */
  get length(): number {
    return this.#partBytes + this.#end - this.#covered;
  }

  /** Makes room for `size` bytes, so that the positions of what follows stay valid. */
  #reserve(size: number): void {
    if (this.#end + size <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(this.#end + size, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(this.#covered, this.#end), this.#covered);
    this.#buffer = larger;
  }

  u8(n: number): void {
    this.#reserve(1);
    this.#buffer[this.#end++] = n;
  }

  u16(n: number): void {
    this.#reserve(2);
    const b = this.#buffer, e = this.#end;
    b[e] = n >>> 8;
    b[e + 1] = n;
    this.#end = e + 2;
  }

  u32(n: number): void {
    this.#reserve(4);
    this.#set32(this.#end, n);
    this.#end += 4;
  }

  /** A 40-bit unsigned number. */
  u40(n: number): void {
    this.u8(n / 0x1_0000_0000);
    this.u32(n >>> 0);
  }

  /** A whole number as signed 64 bits; what lies outside becomes the nearest that fits. */
  i64(n: number): void {
    this.#reserve(8);
    const e = this.#end;
    if (n >= 2 ** 63) {
      this.#set32(e, 0x7fff_ffff);
      this.#set32(e + 4, 0xffff_ffff);
    } else if (n <= -(2 ** 63)) {
      this.#set32(e, 0x8000_0000);
      this.#set32(e + 4, 0);
    } else {
      this.#set32(e, Math.floor(n / 0x1_0000_0000));
      this.#set32(e + 4, n >>> 0);
    }
    this.#end = e + 8;
  }

  u64(n: bigint): void {
    this.u32(Number(n >> 32n));
    this.u32(Number(n & 0xffff_ffffn));
  }

  /** Bytes: small ones copied, large ones referred to. */
  bytes(data: Uint8Array): void {
    const size = data.length;
    if (size >= REFERENCE_SIZE) {
      this.#cover();
      this.#parts.push(data);
      this.#partBytes += size;
      return;
    }
    this.range(data, 0, size);
  }

  /** A part of some bytes, copied. */
  range(data: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    this.#end = putBytes(this.#buffer, this.#end, data, start, end);
  }

  /** Text that is known to be ASCII, such as a line of HTTP. */
  ascii(text: string): void {
    this.#reserve(text.length);
    const b = this.#buffer;
    let e = this.#end;
    for (let i = 0; i < text.length; i++) b[e++] = charCode(text, i);
    this.#end = e;
  }

  /** `database, size of key, key`: what names a record in get_bulk and remove_bulk. */
  keyRecord(database: number, key: Key): number {
    if (typeof key !== "string" || key.length * 3 >= REFERENCE_SIZE) {
      const bytes = toBytes(key);
      this.u16(database);
      this.u32(bytes.length);
      this.bytes(bytes);
      return bytes.length;
    }
    this.#reserve(6 + key.length * 3);
    const start = this.#end;
    this.u16(database);
    this.#end = start + 6;
    const size = this.#text(key);
    this.#set32(start + 2, size);
    return size;
  }

  /** `database, sizes, expiration, key, value`: a record in set_bulk and in the reply of get_bulk. */
  record(database: number, key: Key, value: Key, xt: number): void {
    if (!fits(key) || !fits(value)) {
      const keyBytes = toBytes(key), valueBytes = toBytes(value);
      this.u16(database);
      this.u32(keyBytes.length);
      this.u32(valueBytes.length);
      this.i64(xt);
      this.bytes(keyBytes);
      this.bytes(valueBytes);
      return;
    }
    this.#reserve(18 + room(key) + room(value));
    const start = this.#end;
    this.u16(database);
    this.#end = start + 10;
    this.i64(xt);
    const keySize = this.#data(key);
    const valueSize = this.#data(value);
    this.#set32(start + 2, keySize);
    this.#set32(start + 6, valueSize);
  }

  /** The same, of a key and a value that stand one behind the other in `payload`. */
  storedRecord(database: number, record: RecordBytes): void {
    const { bytes, start, valueStart, end, expires } = record;
    this.#reserve(18);
    const b = this.#buffer, e = this.#end;
    b[e] = database >>> 8;
    b[e + 1] = database;
    this.#set32(e + 2, valueStart - start);
    this.#set32(e + 6, end - valueStart);
    this.#end = e + 10;
    this.i64(expires);
    if (end - start < REFERENCE_SIZE) this.range(bytes, start, end);
    else this.bytes(bytes.subarray(start, end));
  }

  /** `sizes, key, value`: a record of a procedure's input or output. */
  scriptRecord(key: Key, value: Key): void {
    const keyBytes = toBytes(key), valueBytes = toBytes(value);
    this.u32(keyBytes.length);
    this.u32(valueBytes.length);
    this.bytes(keyBytes);
    this.bytes(valueBytes);
  }

  /**
   * All that was written since the last {@linkcode reset}, in pieces to be sent one after the other.
   * They are views of the writer's memory: valid until `reset`, which is for when they have left.
   */
  take(): Uint8Array[] {
    if (this.#parts.length === 0) return [this.#buffer.subarray(0, this.#end)];
    this.#cover();
    return this.#parts;
  }

  /** Starts anew in the same memory. */
  reset(): void {
    this.#end = this.#covered = this.#partBytes = 0;
    if (this.#parts.length > 0) this.#parts = [];
    if (this.#buffer.length > KEPT_CAPACITY) this.#buffer = new Uint8Array(FIRST_CAPACITY);
  }

  /** All that was written, in memory of its own. */
  copy(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.take()) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  #cover(): void {
    if (this.#end > this.#covered) {
      const part = this.#buffer.subarray(this.#covered, this.#end);
      this.#parts.push(part);
      this.#partBytes += part.length;
      this.#covered = this.#end;
    }
  }

  #set32(at: number, n: number): void {
    const b = this.#buffer;
    b[at] = n >>> 24;
    b[at + 1] = n >>> 16;
    b[at + 2] = n >>> 8;
    b[at + 3] = n;
  }

  /** Writes a string or bytes into room that is reserved; returns the size. */
  #data(data: Key): number {
    if (typeof data === "string") return this.#text(data);
    this.#end = putBytes(this.#buffer, this.#end, data, 0, data.length);
    return data.length;
  }

  #text(text: string): number {
    const b = this.#buffer, start = this.#end, length = text.length;
    if (length <= LOOP_SIZE) {
      let i = 0;
      for (; i < length; i++) {
        const c = charCode(text, i);
        if (c > 0x7f) break;
        b[start + i] = c;
      }
      if (i === length) {
        this.#end = start + length;
        return length;
      }
    }
    const { written } = encoder.encodeInto(text, b.subarray(start));
    this.#end = start + written;
    return written;
  }
}

/** Whether a key or value is copied into the buffer, not referred to. */
function fits(data: Key): boolean {
  return typeof data === "string" ? data.length * 3 < REFERENCE_SIZE : data.length < REFERENCE_SIZE;
}

/** The most bytes that it can take up. */
function room(data: Key): number {
  return typeof data === "string" ? data.length * 3 : data.length;
}
