import { Refusal } from "#domain/refusal.ts";
import type { Person, Role } from "#domain/vocabulary.ts";
import { isCentral, requirePerson } from "#platform/identity.ts";

/** Who issues directives and sees them; powers decide the rest (domain.md, "Who may decide what"). */
export const writers: readonly Role[] = ["operator", "analyst", "regional-prosecutor"];

/** Who sees a region's work. */
export const readers: readonly Role[] = [...writers, "carrier"];

/**
 * The person is of this region and has one of the roles; a central prosecutor
 * may do what any prosecutor may.
 *
 * @throws Refusal `forbidden`
 */
export function requireHere(person: Person, region: string, roles: readonly Role[]): void {
  if (isCentral(person)) return;
  requirePerson(person, region, roles);
}

/** @throws Refusal `forbidden` unless the person speaks for a carrier */
export function requireCarrier(person: Person, region: string): string {
  requirePerson(person, region, ["carrier"]);
  if (person.carrier === undefined || person.carrier === "") {
    throw new Refusal({
      code: "forbidden",
      field: "authorization.carrier",
      value: "",
      message: "the token does not say which carrier it speaks for",
      remedy: "log in as a person of the carrier that owns the trunk",
    });
  }
  return person.carrier;
}

/** @throws Refusal `forbidden` unless the certificate is this region's screening's */
export function requireScreening({ region }: { readonly region: string }, peer: string): void {
  if (peer === `screening.${region}`) return;
  throw new Refusal({
    code: "forbidden",
    field: "certificate",
    value: peer,
    message: "this is for the region's screening",
    remedy: `use the certificate of screening.${region}`,
  });
}
