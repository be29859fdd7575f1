/** Certificates for one test run, made on the spot so that none can expire or leak. (RFC 5280) */

import { concat } from "@std/bytes";

export interface Certificate {
  /** In PEM. */
  certificate: string;
  /** The private key in PEM. */
  key: string;
}

/** A certificate of an authority, and how to have others signed by it. */
export interface Authority extends Certificate {
  /** A certificate for these names, host names or IPv4 addresses. */
  issue(...names: string[]): Promise<Certificate>;
}

const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const INTEGER = 0x02, BIT_STRING = 0x03, OCTET_STRING = 0x04, OBJECT_ID = 0x06;
const BOOLEAN = 0x01, UTF8_STRING = 0x0c, GENERALIZED_TIME = 0x18, SEQUENCE = 0x30, SET = 0x31;

const ECDSA_WITH_SHA256 = der(SEQUENCE, oid(1, 2, 840, 10045, 4, 3, 2));
const COMMON_NAME = oid(2, 5, 4, 3);
const SUBJECT_ALT_NAME = oid(2, 5, 29, 17);
const BASIC_CONSTRAINTS = oid(2, 5, 29, 19);
const TRUE = der(BOOLEAN, Uint8Array.of(0xff));

/** Makes an authority of its own. */
export async function makeAuthority(name: string): Promise<Authority> {
  const own = await makeKeys();
  const constraints = der(SEQUENCE, BASIC_CONSTRAINTS, TRUE, octets(der(SEQUENCE, TRUE)));
  const sign = (subject: string, keys: CryptoKeyPair, extension: Uint8Array) =>
    makeCertificate(name, own.privateKey, subject, keys, extension);
  return {
    ...await sign(name, own, constraints),
    async issue(...names) {
      const alternatives = der(SEQUENCE, ...names.map(generalName));
      const extension = der(SEQUENCE, SUBJECT_ALT_NAME, octets(alternatives));
      return await sign(names[0], await makeKeys(), extension);
    },
  };
}

function makeKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]);
}

async function makeCertificate(
  issuer: string,
  issuerKey: CryptoKey,
  subject: string,
  { publicKey, privateKey }: CryptoKeyPair,
  extension: Uint8Array,
): Promise<Certificate> {
  const serial = crypto.getRandomValues(new Uint8Array(8));
  // Positive, and without a leading zero.
  serial[0] = serial[0] & 0x3f | 0x40;
  const content = der(
    SEQUENCE,
    der(0xa0, integer(Uint8Array.of(2))),
    integer(serial),
    ECDSA_WITH_SHA256,
    distinguishedName(issuer),
    der(SEQUENCE, time(-1), time(1)),
    distinguishedName(subject),
    new Uint8Array(await crypto.subtle.exportKey("spki", publicKey)),
    der(0xa3, der(SEQUENCE, extension)),
  );
  const signature = new Uint8Array(await crypto.subtle.sign(ECDSA, issuerKey, content));
  const certificate = der(
    SEQUENCE,
    content,
    ECDSA_WITH_SHA256,
    bits(der(SEQUENCE, integer(signature.slice(0, 32)), integer(signature.slice(32)))),
  );
  return {
    certificate: pem("CERTIFICATE", certificate),
    key: pem("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey))),
  };
}

function der(tag: number, ...contents: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = concat(contents);
  const { length } = content;
  const size = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  return concat([Uint8Array.of(tag, ...size), content]);
}

function oid(first: number, second: number, ...rest: number[]): Uint8Array {
  const bytes = [first * 40 + second];
  for (const n of rest) {
    const groups = [n & 0x7f];
    for (let high = n >> 7; high > 0; high >>= 7) groups.unshift(high & 0x7f | 0x80);
    bytes.push(...groups);
  }
  return der(OBJECT_ID, Uint8Array.from(bytes));
}

/** An unsigned number. */
function integer(bytes: Uint8Array): Uint8Array {
  const start = Math.max(0, bytes.findIndex((byte) => byte !== 0));
  const digits = bytes.slice(start);
  return der(INTEGER, digits[0] > 0x7f ? concat([Uint8Array.of(0), digits]) : digits);
}

function octets(content: Uint8Array): Uint8Array {
  return der(OCTET_STRING, content);
}

function bits(content: Uint8Array): Uint8Array {
  return der(BIT_STRING, Uint8Array.of(0), content);
}

function text(tag: number, content: string): Uint8Array {
  return der(tag, new TextEncoder().encode(content));
}

function distinguishedName(name: string): Uint8Array {
  return der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, text(UTF8_STRING, name))));
}

function generalName(name: string): Uint8Array {
  return /^[\d.]+$/.test(name)
    ? der(0x87, Uint8Array.from(name.split(".").map(Number)))
    : text(0x82, name);
}

function time(daysFromNow: number): Uint8Array {
  const date = new Date(Date.now() + daysFromNow * 86_400_000);
  return text(GENERALIZED_TIME, date.toISOString().replace(/[-:T]|\.\d+/g, ""));
}

function pem(label: string, content: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...content)).replace(/.{64}/g, "$&\n");
  return `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
}
