import { regionOfId } from "#domain/vocabulary.ts";
import { WrongUse } from "./failure.ts";

/** What a command is about: one directive, or a batch as one. */
export type Subject =
  | { readonly kind: "directive"; readonly id: string; readonly region: string }
  | { readonly kind: "batch"; readonly batch: string; readonly region: string };

/**
 * Reads `ID | --batch B`; the region is the one that the id names.
 *
 * @throws WrongUse when both or none are given, or it is no such id
 */
export function subjectOf(id: string | undefined, batch: string | undefined): Subject {
  if ((id === undefined) === (batch === undefined)) {
    throw new WrongUse({
      field: "id",
      value: id ?? "",
      message: id === undefined ? "what it is about is missing" : "an id and a batch were given",
      remedy: "give the id of a directive, or --batch with the id of a batch",
    });
  }
  return batch === undefined
    ? { kind: "directive", id: id ?? "", region: regionNamedBy("id", id ?? "") }
    : { kind: "batch", batch, region: regionNamedBy("batch", batch) };
}

/**
 * The region that gave an id.
 *
 * @throws WrongUse when the text is no id
 */
export function regionNamedBy(field: string, id: string): string {
  const region = regionOfId(id);
  if (region === "") {
    throw new WrongUse({
      field,
      value: id,
      message: "this is no id of a directive, a batch or a piece of intelligence",
      remedy: "an id is <region>-<26 letters and digits>, as `issue`, `import` and `list` show it",
    });
  }
  return region;
}
