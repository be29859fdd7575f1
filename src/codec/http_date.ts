/**
 * The notations of a moment that REST's header `X-Kt-Xt` may have.
 * (docs/protocol.md, section 5)
 */

import { parseInteger } from "./byte_text.ts";

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const UNITS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86400 };

/** A moment in whole seconds since 1970, as replies have it: `Fri, 01 Jan 2100 00:00:00 GMT`. */
export function formatHttpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString();
}

/**
 * Reads seconds since 1970 (decimal, with a suffix `s`, `m`, `h` or `d` multiplied, or hexadecimal
 * behind `0x`), a W3C date or one of RFC 1123. `null` for what is none of them.
 */
export function parseTime(text: string): number | null {
  const trimmed = text.replace(/^[\t-\r ]+/, "");
  if (trimmed === "") return null;
  const hexadecimal = /^0x([0-9a-f]*)/i.exec(trimmed);
  if (hexadecimal !== null) return parseInt(hexadecimal[1], 16) || 0;
  const number = /^(\d*)[\t-\r ]*(?:$|([smhd])(?:$|[\t-\r ]))/i.exec(trimmed);
  if (number !== null) {
    return Number(parseInteger(number[1])) * UNITS[(number[2] ?? "").toLowerCase()];
  }
  return parseW3cDate(trimmed) ?? parseRfcDate(trimmed);
}

/** `2100-01-01T09:00:00+09:00`, or cut behind any part; `2100/01/01 09:00:00` likewise. */
function parseW3cDate(text: string): number | null {
  const match =
    /^(\d{4})([-/])(\d\d)(?:\2(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.\d*)?)?)?([-+]\d\d:\d\d)?)?)?/
      .exec(text);
  if (match === null) return null;
  const [, year, , month, day = 1, hour = 0, minute = 0, second = 0, zone = "+00:00"] = match;
  const [zoneHours, zoneMinutes] = zone.slice(1).split(":");
  return secondsOf(Number(year), Number(month) - 1, day, hour, minute, second) -
    zoneOffset(zone[0], zoneHours, zoneMinutes);
}

/** `Fri, 01 Jan 2100 00:00:00 GMT`, or with `+0900` and the like; name of the day and time optional. */
function parseRfcDate(text: string): number | null {
  const match =
    /^(?:.{3},)? *(\d+) *([a-z]{3}) *(\d+)(?: *(\d\d):(\d\d):(\d\d)(?: ([-+])(\d\d)(\d\d))?)?/i
      .exec(text);
  if (match === null) return null;
  const [, day, name, year, hour = 0, minute = 0, second = 0, sign = "+", zoneHours = 0] = match;
  const month = MONTHS.indexOf(name.toLowerCase());
  if (month < 0 || Number(day) === 0) return null;
  // As in C's `struct tm`, smaller numbers count from 1900.
  const fullYear = Number(year) < 1969 ? Number(year) + 1900 : Number(year);
  return secondsOf(fullYear, month, day, hour, minute, second) -
    zoneOffset(sign, zoneHours, match[9] ?? 0);
}

function zoneOffset(sign: string, hours: string | number, minutes: string | number): number {
  return (Number(hours) * 3600 + Number(minutes) * 60) * (sign === "-" ? -1 : 1);
}

function secondsOf(
  year: number,
  month: number,
  day: string | number,
  hour: string | number,
  minute: string | number,
  second: string | number,
): number {
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for those of the last century.
  date.setUTCFullYear(year, month, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  return date.getTime() / 1000;
}
