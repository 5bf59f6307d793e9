import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { longestDigitRun } from "#domain/digit-runs.ts";

const english = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const russian = ["ноль", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять"];
const kazakh = ["нөл", "бір", "екі", "үш", "төрт", "бес", "алты", "жеті", "сегіз", "тоғыз"];
const figures = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３４５６７８９", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"].map(
  (digits) => Array.from(digits),
);
const scripts = [english, russian, kazakh, ...figures];
const separators = [
  " ",
  "-",
  " - ",
  ".",
  ", ",
  "(",
  ") ",
  "/",
  "\n",
  " … ",
  "\u00a0",
  "—",
  "\u200b ",
  " and ",
  " и ",
];

const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 7, maxLength: 15 });

describe("a run of digits in a wording", () => {
  test("is found in figures of any script and in words of three languages, whatever stands between", () => {
    fc.assert(
      fc.property(
        digits,
        fc.array(fc.nat({ max: scripts.length - 1 }), { minLength: 15, maxLength: 15 }),
        fc.array(fc.constantFrom(...separators), { minLength: 15, maxLength: 15 }),
        fc.constantFrom("", "Перезвоните на номер ", "Call me ", "Қоңырау шалыңыз "),
        (number, chosen, between, before) => {
          const said = number.map(
            (digit, index) => `${scripts[chosen[index] ?? 0]?.[digit]}${between[index]}`,
          );
          expect(longestDigitRun(`${before}${said.join("")} спасибо`)).toBeGreaterThanOrEqual(number.length);
        },
      ),
    );
  });

  test("ends where something else is said", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 999 }), { maxLength: 20 }), (numbers) => {
        expect(longestDigitRun(numbers.map((number) => `${number} теңге`).join(" "))).toBeLessThanOrEqual(3);
      }),
    );
  });

  test("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(longestDigitRun(text)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test.each([
    ["8 701 123-45-67", 11],
    ["+7 (701) 123.45.67", 11],
    ["8885O6O539", 8],
    ["eight seven zero one one two three", 7],
    ["seven oh one double two triple three", 8],
    ["seventy-seven, twenty five, one hundred and three", 7],
    ["one million two hundred and thirty-four thousand five hundred sixty seven", 7],
    ["восемь семьсот один сто двадцать три сорок пять шестьдесят семь", 11],
    ["семь СЕМЬСОТ один две трёх", 6],
    ["сегіз жеті жүз бір жүз жиырма үш қырық бес алпыс жеті", 11],
    ["сегиз жети жуз бир жуз жиырма уш кырык бес алпыс жети", 11],
    ["segiz jeti juz bir juz jiyrma ush qyryq bes alpys jeti", 11],
    ["fivefivefivefivefivefivefive", 7],
    ["Your card is blocked, say the code from the message", 0],
    ["Ваш счёт под угрозой, переведите деньги на безопасный счёт", 0],
    ["Сіздің есептік жазбаңызға қауіп төнді", 0],
    ["в две тысячи двадцать шестом году", 4],
    ["жиырма бес мың теңге", 5],
    ["wait ten minutes, then call two people", 2],
  ])("in “%s” has %i digits", (text, expected) => {
    expect(longestDigitRun(text)).toBe(expected);
  });
});
