import type { Texts } from "../texts/en.ts";

/** Writes a target's canonical key (`+7…`, `+44…-+44…`, `trunk:id`, `+7…@id`) for people. */
export function targetText(key: string, { directives }: Texts): string {
  const trunk = (id: string) => (id === "international" ? directives.international : directives.trunk(id));
  if (key.startsWith("trunk:")) return trunk(key.slice("trunk:".length));
  const [numbers = "", on] = key.split("@");
  const written = numbers.split("-").map(grouped).join(" – ");
  return on === undefined ? written : directives.on(written, trunk(on));
}

/** Digits in threes from the right, which no-break spaces keep together: country codes differ in length. */
function grouped(number: string): string {
  return number.replace(/(\d)(?=(\d{3})+$)/g, "$1\u00A0");
}
