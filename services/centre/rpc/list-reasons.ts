import { reasonCodes } from "#domain/catalogue.ts";
import type { Catalogue } from "#proto/qalqan/centre/v1/centre.ts";
import { catalogueOf } from "./list-bases.ts";

/** The reasons that a directive or its revocation may have. */
export function listReasons(): Catalogue {
  return catalogueOf(reasonCodes);
}
