/** The languages of the page, each by its own name. */
export const languages = { kk: "Қазақша", ru: "Русский", en: "English" } as const;
export type Language = keyof typeof languages;
