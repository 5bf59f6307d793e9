/** Keys of NATS users (nkeys, Ed25519). The library is loaded when it is used. */

/** @returns the seed of a new user */
export async function makeNkey(): Promise<string> {
  const { nkeys } = await import("nats");
  return Buffer.from(nkeys.createUser().getSeed()).toString("utf8");
}

export async function publicNkeyOf(seed: string): Promise<string> {
  const { nkeys } = await import("nats");
  return nkeys.fromSeed(Buffer.from(seed)).getPublicKey();
}

const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const textCharacters = 52;
const bytesBeforeChecksum = 33;

/**
 * A public key of a user that reads as the words given, and whose private key
 * nobody has. It has the shape and the checksum that nats-server asks for.
 */
export function placeholderNkey(words: string): string {
  // "UA": the prefix byte of a user fills the first character and three bits of the second.
  const text = `UA${words.toUpperCase().replaceAll(/[^A-Z2-7]/g, "2")}`.padEnd(textCharacters, "2");
  const data = decode(`${text.slice(0, textCharacters)}A`).subarray(0, bytesBeforeChecksum);
  const checksum = Buffer.alloc(2);
  checksum.writeUInt16LE(crc16(data));
  return encode(Buffer.concat([data, checksum]));
}

function decode(text: string): Buffer {
  const bits = Array.from(text, (character) => base32.indexOf(character).toString(2).padStart(5, "0")).join(
    "",
  );
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

function encode(data: Buffer): string {
  const bits = Array.from(data, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => base32[Number.parseInt(five, 2)]).join("");
}

/** CRC-16/XMODEM. */
function crc16(data: Buffer): number {
  let crc = 0;
  for (const byte of data) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  }
  return crc & 0xffff;
}
