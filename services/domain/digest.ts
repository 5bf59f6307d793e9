import { hash } from "node:crypto";

/** Bytes of a digest. */
export const digestBytes = 32;
const wordCount = 8;
const wordBits = 32;

/**
 * Digest of a set of rows: the sum, modulo 2^256, of SHA-256 over each row's
 * canonical text (AdHash, Bellare and Micciancio 1997). Adding and removing a
 * row costs one hash, and the order never matters. It finds differences between
 * honest copies; it is no signature (seals are).
 */
export class SetDigest {
  /** Least significant word first. */
  readonly #words = new Uint32Array(wordCount);

  /**
   * The digest of a set that is kept elsewhere.
   * @param value what `value()` gave for it, 32 bytes
   */
  static from(value: Uint8Array): SetDigest {
    if (value.length !== digestBytes)
      throw new RangeError(`a digest has ${digestBytes} bytes, not ${value.length}`);
    const digest = new SetDigest();
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    digest.#words.forEach(
      (_, index) => (digest.#words[index] = view.getUint32(digestBytes - 4 * (index + 1))),
    );
    return digest;
  }

  /** @param row canonical text of a row that is not in the set */
  add(row: string): void {
    this.#combine(row, 1);
  }

  /** @param row canonical text of a row that is in the set, exactly as it was added */
  remove(row: string): void {
    this.#combine(row, -1);
  }

  #combine(row: string, sign: 1 | -1): void {
    // One character a byte: a string comes in a third of the time of a Buffer.
    const rowHash = hash("sha256", row, "binary");
    let carry = 0;
    for (let word = 0; word < wordCount; word++) {
      const sum = (this.#words[word] ?? 0) + sign * wordAt(rowHash, digestBytes - 4 * (word + 1)) + carry;
      this.#words[word] = sum;
      carry = Math.floor(sum / 2 ** wordBits);
    }
  }

  /** 32 bytes, most significant first; all zero for the empty set. */
  value(): Uint8Array {
    const bytes = new Uint8Array(digestBytes);
    const view = new DataView(bytes.buffer);
    this.#words.forEach((word, index) => view.setUint32(digestBytes - 4 * (index + 1), word));
    return bytes;
  }

  equals(other: Uint8Array): boolean {
    return other.length === digestBytes && Buffer.compare(this.value(), other) === 0;
  }
}

/** 32 bits of a string of bytes, most significant first. */
function wordAt(bytes: string, at: number): number {
  const high = (bytes.charCodeAt(at) << 8) | bytes.charCodeAt(at + 1);
  const low = (bytes.charCodeAt(at + 2) << 8) | bytes.charCodeAt(at + 3);
  return high * 65_536 + low;
}
