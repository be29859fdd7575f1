/**
 * Bytes as text of one character per byte (code 0 to 255), and the numbers that stand in such texts.
 * HTTP's lines and the names of rows are kept so: any byte survives, and `<` orders by unsigned bytes.
 */

/** More arguments than this in one call may overflow the stack of a runtime. */
const CALL_SIZE = 8192;

/** The bytes from `start` to `end` as text of one character each. */
export function toByteText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += CALL_SIZE) {
    const part = bytes.subarray(at, Math.min(at + CALL_SIZE, end));
    text += String.fromCharCode.apply(null, part as unknown as number[]);
  }
  return text;
}

/** The opposite of {@linkcode toByteText}. */
export function fromByteText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * Reads a whole number as ktserver does: blanks, a sign, digits; what follows is ignored, no digits
 * are 0, and what does not fit into 64 signed bits wraps round.
 */
export function parseInteger(text: string): bigint {
  const [, sign, digits] = /^[\t-\r ]*([-+]?)(\d*)/.exec(text)!;
  // 2^64 divides 10^64, so digits further in front make no difference.
  const magnitude = BigInt(digits.slice(-64));
  return BigInt.asIntN(64, sign === "-" ? -magnitude : magnitude);
}

/** Reads a number with a fraction and an exponent as ktserver does; no digits are 0. */
export function parseDecimal(text: string): number {
  const [, sign, word, integer, fraction = "", exponent = "0"] =
    /^[\t-\r ]*([-+]?)(?:(inf|nan)|(\d*)(\.\d*)?(?:e([-+]?\d+))?)/i.exec(text)!;
  const magnitude = word === undefined
    ? Number(`${integer || 0}${fraction}e${exponent}`)
    : word.toLowerCase() === "inf"
    ? Infinity
    : NaN;
  return sign === "-" ? -magnitude : magnitude;
}

/** Writes a number as C's `%f`: six decimals, ties to the even digit. */
export function formatDecimal(n: number): string {
  if (Number.isNaN(n)) return "nan";
  if (!Number.isFinite(n)) return n > 0 ? "inf" : "-inf";
  // `toFixed` turns to exponents there; doubles that large are whole numbers.
  if (Math.abs(n) >= 1e21) return `${BigInt(n)}.000000`;
  // Only odd multiples of 2^-7 lie in the middle; seven decimals are exact then, and the last is 5.
  if (Math.abs(n * 128 % 2) === 1) {
    const exact = n.toFixed(7);
    if (exact.charCodeAt(exact.length - 2) % 2 === 0) return exact.slice(0, -1);
  }
  return n.toFixed(6);
}
