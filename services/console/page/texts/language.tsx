import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { createFormat, type Format } from "../view/format.ts";
import { en, type Texts } from "./en.ts";
import { kk } from "./kk.ts";
import { languages, type Language } from "./languages.ts";
import { ru } from "./ru.ts";

const allTexts: Record<Language, Texts> = { kk, ru, en };
const storageKey = "qalqan-language";

interface Chosen {
  readonly language: Language;
  readonly texts: Texts;
  readonly format: Format;
  readonly choose: (language: Language) => void;
}

const ChosenLanguage = createContext<Chosen | undefined>(undefined);

/** The language in use, its texts and its way to write numbers and times. */
export function useLanguage(): Chosen {
  const chosen = useContext(ChosenLanguage);
  if (chosen === undefined) throw new Error("useLanguage is used outside LanguageProvider");
  return chosen;
}

/** Keeps the chosen language in this browser, and tells it to whoever reads the page aloud. */
export function LanguageProvider({ children }: { readonly children: ReactNode }) {
  const [language, setLanguage] = useState(firstLanguage);
  const chosen = useMemo<Chosen>(() => {
    const texts = allTexts[language];
    return { language, texts, format: createFormat(language, texts), choose: setLanguage };
  }, [language]);
  useEffect(() => {
    const { title, subtitle } = chosen.texts;
    document.documentElement.lang = language;
    document.title = `${title} – ${subtitle}`;
    keep(language);
  }, [chosen, language]);
  return <ChosenLanguage value={chosen}>{children}</ChosenLanguage>;
}

/** What was chosen before, else the first of the browser's languages that the page speaks, else the state language. */
function firstLanguage(): Language {
  const wanted = [kept(), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((tag): tag is Language => tag !== undefined && tag in languages) ?? "kk";
}

function kept(): string | undefined {
  try {
    return localStorage.getItem(storageKey) ?? undefined;
  } catch {
    // A browser may forbid storage: the choice then lasts as long as the page.
    return undefined;
  }
}

function keep(language: Language): void {
  try {
    localStorage.setItem(storageKey, language);
  } catch {
    // As above.
  }
}
