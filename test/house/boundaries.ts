import { importedFile, type Source } from "./sources.ts";

/** Which rooms of ours a room may import from, itself aside. Tests may import everything. */
const mayImport: Record<string, readonly string[]> = {
  "services/domain": [],
  "services/platform": ["services/domain", "proto"],
  "services/cli": ["services/domain", "services/platform", "proto", "infra"],
  infra: ["proto"],
  proto: [],
};
const anyOtherService = ["services/domain", "services/platform", "proto"];

/** What the domain may have from outside: what computes, nothing that reads, writes, listens or asks. */
const domainPackages = ["node:buffer", "node:crypto", "zod"];

/** The room of a file: `services/centre`, `infra`, `proto` …; `undefined` for the tests and the root. */
function roomOf(file: string): string | undefined {
  const [first, second] = file.split("/");
  if (first === "services") return `${first}/${second}`;
  return first === "infra" || first === "proto" ? first : undefined;
}

/** Names every import of a file that its room may not have. */
export function forbiddenImports({ file, imports }: Source): string[] {
  const room = roomOf(file);
  if (room === undefined) return [];
  const allowed = [room, ...(mayImport[room] ?? anyOtherService)];
  return imports
    .filter((specifier) => {
      const target = importedFile(file, specifier);
      if (target !== undefined) return !allowed.includes(roomOf(target) ?? "outside every room");
      const isForDomain = domainPackages.some(
        (name) => specifier === name || specifier.startsWith(`${name}/`),
      );
      return room === "services/domain" && !isForDomain;
    })
    .map((specifier) => `${file} imports ${specifier}`);
}

/** A string with a space in it is a sentence for people: it may give a region as an example. */
const sentence = /(["'`])(?=[^"'`\n]* )[^"'`\n]*\1/g;

/** Names every line of code that spells a region: regions are data. */
export function regionsSpelled({ file, code }: Source, slugs: readonly string[]): string[] {
  const words = new RegExp(`(?<![\\w/-])(?:${slugs.join("|")})(?![\\w-])`, "g");
  return code
    .split("\n")
    .flatMap((line, index) =>
      (line.replaceAll(sentence, "").match(words) ?? []).map((slug) => `${file}:${index + 1} spells ${slug}`),
    );
}
