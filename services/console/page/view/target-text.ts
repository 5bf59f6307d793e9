import type { Texts } from "../texts/en.ts";

/** Writes a target's canonical key (`+7…`, `+44…-+44…`, `trunk:id`, `+7…@id`) for people. */
export function targetText(key: string, { directives }: Texts): string {
  const trunk = (id: string) => (id === "international" ? directives.international : directives.trunk(id));
  if (key.startsWith("trunk:")) return trunk(key.slice("trunk:".length));
  const [numbers = "", on] = key.split("@");
  const written = numbers.split("-").map(grouped).join(" – ");
  return on === undefined ? written : directives.on(written, trunk(on));
}

/** Numbers of the own country code in the groups that people here read; others have groupings of their own. */
function grouped(number: string): string {
  return number.replace(
    /^\+7([\d•]{3})([\d•]{3})([\d•]{2})([\d•]{2})$/,
    "+7\u00A0$1\u00A0$2\u00A0$3\u00A0$4",
  );
}
