import { foldLetters, numberWordsIn, type NumberWord } from "./number-words.ts";

/** A wording that is shared has no run of this many digits: it could be somebody's number. */
export const digitRunMax = 6;

/**
 * The longest run of digits in a text, in figures of any script or in Kazakh,
 * Russian or English number words, also mixed. Only letters that are no number
 * word end a run; spaces, dashes, dots, brackets and other signs do not.
 *
 * Number words count as the digits of the number they say: `twenty three` two,
 * `two hundred` three, `eight seven zero` three, `a million` seven.
 */
export function longestDigitRun(text: string): number {
  const said = new SaidDigits();
  for (const [token] of foldLetters(text).matchAll(/\p{Nd}+|\p{L}+/gu)) {
    if (/^\p{Nd}/u.test(token)) {
      said.figures(token.match(/\p{Nd}/gu)?.length ?? 0);
      continue;
    }
    const words = numberWordsIn(token);
    if (words === undefined) said.end();
    else words.forEach((word) => said.word(word));
  }
  said.end();
  return said.longest;
}

/** Follows number words as they are said, and counts the digits of the numbers that they make. */
class SaidDigits {
  longest = 0;
  #run = 0;
  /** What thousands and millions have made of the number so far. */
  #scaled = 0;
  #lastScale = Infinity;
  /** The number below the last scale word, 0 to 999. */
  #group = 0;
  /** The places of the group that are still open: 3 all, 2 below hundreds, 1 units, 0 none. */
  #open = 3;
  #isBegun = false;
  #repeat = 1;

  figures(count: number): void {
    this.#finishNumber();
    this.#add(count * this.#takeRepeat());
  }

  word(word: NumberWord): void {
    switch (word.kind) {
      case "zero":
        this.#finishNumber();
        this.#add(this.#takeRepeat());
        return;
      case "unit":
        this.#place(word.value, 1, 0);
        return;
      case "teen":
        this.#place(word.value, 2, 0);
        return;
      case "tens":
        this.#place(word.value, 2, 1);
        return;
      case "hundreds":
        this.#place(word.value, 3, 2);
        return;
      case "hundred":
        this.#hundred();
        return;
      case "scale":
        this.#scale(word.value);
        return;
      case "repeat":
        this.#finishNumber();
        this.#repeat = word.times;
        return;
      case "filler":
        return;
    }
  }

  /** Something that is no number was said. */
  end(): void {
    this.#finishNumber();
    this.#run = 0;
    this.#repeat = 1;
  }

  /** Adds to the number where the place is open, else a new number begins. */
  #place(value: number, needsOpen: number, leavesOpen: number): void {
    if (this.#open < needsOpen || this.#repeat > 1) this.#finishNumber();
    this.#group += value;
    this.#open = leavesOpen;
    this.#isBegun = true;
    if (this.#repeat > 1) {
      const digits = String(value).length * this.#takeRepeat();
      this.#forget();
      this.#add(digits);
    }
  }

  #hundred(): void {
    const isCount = this.#open === 0 && this.#group > 0 && this.#group < 20;
    if (isCount) {
      this.#group *= 100;
      this.#open = 2;
      return;
    }
    this.#place(100, 3, 2);
  }

  #scale(scale: number): void {
    if (scale >= this.#lastScale) this.#finishNumber();
    this.#scaled += (this.#group === 0 ? 1 : this.#group) * scale;
    this.#lastScale = scale;
    this.#group = 0;
    this.#open = 3;
    this.#isBegun = true;
  }

  #finishNumber(): void {
    if (!this.#isBegun) return;
    const digits = String(this.#scaled + this.#group).length;
    this.#forget();
    this.#add(digits);
  }

  #forget(): void {
    this.#scaled = 0;
    this.#lastScale = Infinity;
    this.#group = 0;
    this.#open = 3;
    this.#isBegun = false;
  }

  #takeRepeat(): number {
    const times = this.#repeat;
    this.#repeat = 1;
    return times;
  }

  #add(digits: number): void {
    this.#run += digits;
    this.longest = Math.max(this.longest, this.#run);
  }
}
