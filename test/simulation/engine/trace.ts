/** Lines of the trace that a failure shows. */
const shownLines = 60;

/** What happened, in order: hashed always, kept as text when somebody wants to read it. */
export class Trace {
  readonly #keepsAll: boolean;
  #lines: string[] = [];
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;
  #count = 0;

  /** @param keepsAll every line stays, not the last ones alone */
  constructor(keepsAll: boolean) {
    this.#keepsAll = keepsAll;
  }

  /** Notes one thing: when (virtual milliseconds), who, what. */
  note(atMs: number, who: string, what: string): void {
    const line = `${atMs.toFixed(3)} ${who} ${what}`;
    for (let index = 0; index < line.length; index++) {
      const code = line.charCodeAt(index);
      this.#low = Math.imul(this.#low ^ code, 0x01000193);
      this.#high = Math.imul(this.#high ^ code, 0x85ebca6b) + this.#low;
    }
    this.#count += 1;
    this.#lines.push(line);
    if (!this.#keepsAll && this.#lines.length > 2 * shownLines) this.#lines = this.#lines.slice(-shownLines);
  }

  /** 64 bits over every line so far, and how many there were. */
  get hash(): string {
    const word = (value: number) => (value >>> 0).toString(16).padStart(8, "0");
    return `${word(this.#low)}${word(this.#high)}/${this.#count}`;
  }

  get lines(): readonly string[] {
    return this.#keepsAll ? this.#lines : this.#lines.slice(-shownLines);
  }
}
