import { createHash } from "node:crypto";

/** What people and protocols put between the digits of a number; so many of them at once. */
const separators = new Set(
  [" ", "\t", "-", ".", "(", ")", "/", "_", "\u00a0"].map((each) => each.charCodeAt(0)),
);
const separatorsMax = 3;
/** First byte of a no-break space in UTF-8, which latin1 reads as two characters. */
const noBreakLead = 0xc2;

const hashes = ["sha256", "sha1", "md5"] as const;
const hashPrefixBytes = 8;

/** Something that names one of the numbers, and how. */
export interface Finding {
  readonly number: string;
  readonly as: string;
}

/**
 * Finds telephone numbers in bytes: as digits in any dialled form with
 * separators between them, in base64 and hexadecimal text, and as unkeyed
 * hashes of any dialled form, in full or by their first 64 bits.
 */
export class NumberSearch {
  /** By the digits that all dialled forms of a number end with. */
  readonly #byDigits = new Map<string, string>();
  readonly #lengths: readonly number[];
  /** By the first four bytes of a hash. */
  readonly #byHash = new Map<number, { rest: number; finding: Finding }[]>();

  /** @param numbers E.164 */
  constructor(numbers: Iterable<string>) {
    for (const number of numbers) {
      this.#byDigits.set(coreOf(number), number);
      for (const form of formsOf(number)) for (const hash of hashes) this.#addHash(number, form, hash);
    }
    this.#lengths = [...new Set([...this.#byDigits.keys()].map((digits) => digits.length))];
  }

  /** Every number that the bytes name, once. */
  in(bytes: Buffer): Finding[] {
    const found = new Map<string, Finding>();
    const keep = (finding: Finding, how: string) =>
      found.set(finding.number, { number: finding.number, as: `${finding.as}${how}` });
    const searchPlain = (part: Buffer, how: string) => {
      for (const finding of this.#digitsIn(part)) keep(finding, how);
      for (const finding of this.#hashesIn(part)) keep(finding, how);
    };
    searchPlain(bytes, "");
    const text = bytes.toString("latin1");
    for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{12,}/g)) {
      // Wherever in a longer text the encoded part begins.
      for (let at = 0; at < 4; at += 1) searchPlain(Buffer.from(run.slice(at), "base64"), " in base64");
    }
    for (const [run] of text.matchAll(/[0-9A-Fa-f]{16,}/g)) {
      for (let at = 0; at < 2; at += 1) searchPlain(Buffer.from(run.slice(at), "hex"), " in hexadecimal");
    }
    return [...found.values()];
  }

  #addHash(number: string, form: string, hash: (typeof hashes)[number]): void {
    const digest = createHash(hash).update(form).digest();
    const first = digest.readUInt32BE(0);
    const entry = { rest: digest.readUInt32BE(4), finding: { number, as: `${hash} of ${form}` } };
    this.#byHash.set(first, [...(this.#byHash.get(first) ?? []), entry]);
  }

  *#digitsIn(bytes: Buffer): Generator<Finding> {
    let run = "";
    let gap = 0;
    for (let at = 0; at <= bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte >= 0x30 && byte <= 0x39) {
        run += String.fromCharCode(byte);
        gap = 0;
        continue;
      }
      if (run === "") continue;
      gap += 1;
      if (at < bytes.length && (separators.has(byte) || byte === noBreakLead) && gap <= separatorsMax)
        continue;
      yield* this.#windowsOf(run);
      run = "";
    }
  }

  *#windowsOf(run: string): Generator<Finding> {
    for (const length of this.#lengths) {
      for (let at = 0; at + length <= run.length; at += 1) {
        const number = this.#byDigits.get(run.slice(at, at + length));
        if (number !== undefined) yield { number, as: `digits ${run}` };
      }
    }
  }

  *#hashesIn(bytes: Buffer): Generator<Finding> {
    for (let at = 0; at + hashPrefixBytes <= bytes.length; at += 1) {
      const entries = this.#byHash.get(bytes.readUInt32BE(at));
      if (entries === undefined) continue;
      const rest = bytes.readUInt32BE(at + 4);
      for (const entry of entries) if (entry.rest === rest) yield entry.finding;
    }
  }
}

/** Ten digits of a number of +7, else all. */
function coreOf(number: string): string {
  return number.startsWith("+7") ? number.slice(2) : number.slice(1);
}

/** As it may be dialled or kept. */
function formsOf(number: string): string[] {
  const digits = number.slice(1);
  const international = [number, digits, `00${digits}`, `810${digits}`];
  return number.startsWith("+7") ? [...international, `8${coreOf(number)}`, coreOf(number)] : international;
}
