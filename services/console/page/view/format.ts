import type { Texts } from "../texts/en.ts";
import type { Language } from "../texts/languages.ts";

/** How a language writes numbers, moments and lengths of time. */
export interface Format {
  readonly count: (value: number) => string;
  /** Hours, minutes and seconds. */
  readonly clock: (momentMs: number) => string;
  /** Hours and minutes, with the day when it is not that of `nowMs`. */
  readonly moment: (momentMs: number, nowMs: number) => string;
  /** The two largest units: "3 min 20 s". */
  readonly duration: (milliseconds: number) => string;
}

/**
 * Chromium has no numbers and dates of Kazakh (it writes "2025 M10 9"); they
 * are written in Kazakhstan as those of Russian are.
 */
const locales: Record<Language, string> = { kk: "ru-KZ", ru: "ru-KZ", en: "en-US" };

/** One zone for the whole country since March 2024: everybody sees the same time, wherever they are. */
const timeZone = "Asia/Almaty";

export function createFormat(language: Language, { units }: Texts): Format {
  const locale = locales[language];
  const count = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const times = { timeZone, hourCycle: "h23", hour: "2-digit", minute: "2-digit" } as const;
  const clock = new Intl.DateTimeFormat(locale, { ...times, second: "2-digit" });
  const minute = new Intl.DateTimeFormat(locale, times);
  const month = language === "en" ? "short" : "2-digit";
  const day = new Intl.DateTimeFormat(locale, { timeZone, day: "2-digit", month });
  return {
    count: (value) => count.format(value),
    clock: (momentMs) => clock.format(momentMs),
    moment: (momentMs, nowMs) => {
      const time = minute.format(momentMs);
      return day.format(momentMs) === day.format(nowMs) ? time : `${day.format(momentMs)}, ${time}`;
    },
    duration: (milliseconds) => duration(milliseconds, units),
  };
}

function duration(milliseconds: number, units: Texts["units"]): string {
  if (milliseconds < 1_000) return `${Math.max(0, Math.round(milliseconds))} ${units.millisecond}`;
  const seconds = Math.floor(milliseconds / 1_000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), units.day],
    [Math.floor(seconds / 3_600) % 24, units.hour],
    [Math.floor(seconds / 60) % 60, units.minute],
    [seconds % 60, units.second],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}
