import { catalogueVersion, legalBases, type Title } from "#domain/catalogue.ts";
import type { Catalogue } from "#proto/qalqan/centre/v1/centre.ts";

/** The legal bases that a directive may rest on. */
export function listBases(): Catalogue {
  return catalogueOf(legalBases);
}

/** Codes with their English titles. */
export function catalogueOf(items: readonly { readonly code: string; readonly title: Title }[]): Catalogue {
  return { version: catalogueVersion, items: items.map(({ code, title }) => ({ code, title: title.en })) };
}
