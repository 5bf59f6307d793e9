/** What a number word does to the number being said. */
export type NumberWord =
  | { kind: "zero" }
  /** 1 to 9. */
  | { kind: "unit"; value: number }
  /** 10 to 19, after which nothing is added. */
  | { kind: "teen"; value: number }
  /** 20, 30 … 90, and the Kazakh 10: units may follow. */
  | { kind: "tens"; value: number }
  /** 100, 200 … 900 by one word. */
  | { kind: "hundreds"; value: number }
  /** `hundred`, `жүз`: what stands before is so many hundreds. */
  | { kind: "hundred" }
  | { kind: "scale"; value: number }
  /** `double`, `triple`: the next digit is said so many times. */
  | { kind: "repeat"; times: number }
  /** Between number words it changes nothing. */
  | { kind: "filler" };

/** Words of one meaning, separated by spaces; the index is the value. */
const units = [
  "",
  "one один одна одно одну одного одной одному одним раз бір bir",
  "two два две двух двум двумя екі eki",
  "three три трех трем тремя үш us ush üş",
  "four четыре четырех четырем четырьмя төрт tort tört",
  "five пять пяти пятью бес bes",
  "six шесть шести шестью алты alty",
  "seven семь семи семью жеті jeti zheti",
  "eight восемь восьми восемью сегіз segiz",
  "nine девять девяти девятью тоғыз togyz toğyz",
];
const teens = [
  "ten десять десяти десятью",
  "eleven одиннадцать одиннадцати",
  "twelve двенадцать двенадцати",
  "thirteen тринадцать тринадцати",
  "fourteen четырнадцать четырнадцати",
  "fifteen пятнадцать пятнадцати",
  "sixteen шестнадцать шестнадцати",
  "seventeen семнадцать семнадцати",
  "eighteen восемнадцать восемнадцати",
  "nineteen девятнадцать девятнадцати",
];
const tens = [
  "",
  "он on",
  "twenty двадцать двадцати жиырма jiyrma zhiyrma",
  "thirty тридцать тридцати отыз otyz",
  "forty fourty сорок сорока қырық qyryq kyryk",
  "fifty пятьдесят пятидесяти елу elu",
  "sixty шестьдесят шестидесяти алпыс alpys",
  "seventy семьдесят семидесяти жетпіс jetpis zhetpis",
  "eighty восемьдесят восьмидесяти сексен seksen",
  "ninety девяносто девяноста тоқсан toqsan toksan",
];
const hundreds = [
  "",
  "сто ста",
  "двести двухсот",
  "триста трехсот",
  "четыреста четырехсот",
  "пятьсот пятисот",
  "шестьсот шестисот",
  "семьсот семисот",
  "восемьсот восьмисот",
  "девятьсот девятисот",
];
const scales: readonly (readonly [number, string])[] = [
  [1e3, "thousand тысяча тысячи тысяч тысячу мың myn myñ mıng"],
  [1e6, "million миллион миллиона миллионов"],
  [1e9, "billion milliard миллиард миллиарда миллиардов"],
];

/**
 * Letters as the words below are compared: small, without marks, and Kazakh
 * letters as they are typed on a Russian keyboard (`үш` and `уш` are the same).
 */
export function foldLetters(text: string): string {
  return (
    text
      // Invisible characters inside a word.
      .replace(/\p{Cf}/gu, "")
      .normalize("NFKC")
      .toLowerCase()
      .replace(/[ёқғүұөәіңһ]/gu, (letter) => sameKey[letter] ?? letter)
      .normalize("NFD")
      // й is и with a mark; no number word tells the two apart.
      .replace(/\p{M}/gu, "")
  );
}

const sameKey: Readonly<Record<string, string>> = {
  ...{ ё: "е", қ: "к", ғ: "г", ү: "у", ұ: "у", ө: "о", ә: "а", і: "и", ң: "н", һ: "х" },
};

const wordOf = new Map<string, NumberWord>();

function add(words: string, meaning: NumberWord): void {
  for (const word of words.split(" ")) {
    if (word !== "") wordOf.set(foldLetters(word), meaning);
  }
}

add("zero oh nought ноль нуль ноля нуля нөл nol nöl", { kind: "zero" });
units.forEach((words, value) => add(words, { kind: "unit", value }));
teens.forEach((words, index) => add(words, { kind: "teen", value: 10 + index }));
tens.forEach((words, index) => add(words, { kind: "tens", value: 10 * index }));
hundreds.forEach((words, index) => add(words, { kind: "hundreds", value: 100 * index }));
add("hundred hundreds жүз juz jüz zhuz", { kind: "hundred" });
scales.forEach(([value, words]) => add(words, { kind: "scale", value }));
add("double", { kind: "repeat", times: 2 });
add("triple treble", { kind: "repeat", times: 3 });
// A letter that stands for a zero between figures (`8885O6O539`) does not hide them.
add("and и және o о", { kind: "filler" });

const wordLettersMax = Math.max(...[...wordOf.keys()].map((word) => word.length));

/**
 * The number words that a word consists of: itself, or several written
 * together (`fivefivefive`); undefined when anything else is in it.
 *
 * @param word letters as foldLetters gives them
 */
export function numberWordsIn(word: string): readonly NumberWord[] | undefined {
  const single = wordOf.get(word);
  if (single !== undefined) return [single];
  // ways[i]: the number words that make up the first i letters.
  const ways: (readonly NumberWord[] | undefined)[] = [[]];
  for (let end = 1; end <= word.length; end += 1) {
    for (let start = Math.max(0, end - wordLettersMax); start < end && ways[end] === undefined; start += 1) {
      const before = ways[start];
      const meaning = before === undefined ? undefined : wordOf.get(word.slice(start, end));
      if (before !== undefined && meaning !== undefined) ways[end] = [...before, meaning];
    }
  }
  return word === "" ? undefined : ways[word.length];
}
