/**
 * The file in which Kyoto Tycoon keeps how far it has followed another server: the time stamp as 20
 * decimal digits and a line feed. (docs/protocol.md, section 4)
 */

/** What the file of a time stamp holds: 21 bytes of ASCII. */
export function formatRts(timestamp: bigint): string {
  return `${timestamp.toString().padStart(20, "0")}\n`;
}

/**
 * The time stamp that a file holds.
 *
 * @throws {TypeError} It is no such file.
 */
export function parseRts(text: string): bigint {
  const timestamp = /^\d{20}\n$/.test(text) ? BigInt(text) : -1n;
  if (timestamp < 0n || timestamp >= 1n << 64n) {
    throw new TypeError(
      `Cannot read a time stamp: not 20 digits and a line feed but ${
        JSON.stringify(text.slice(0, 40))
      }`,
    );
  }
  return timestamp;
}
