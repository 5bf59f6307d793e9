import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { WrongUse } from "../../failure.ts";
import type { Finding } from "../../evidence/verify-document.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";
import { readOptionFile } from "../../place.ts";

interface Options extends GlobalOptions {
  readonly keys: string;
}

/** How the command ends: all is proven; something is not; something is false, or it is no evidence. */
const exitCodes = { proven: 0, "not-proven": 1, false: 2 } as const;
type Verdict = keyof typeof exitCodes;

export function define(command: Command): void {
  command
    .argument("<file>", "the exported evidence")
    .requiredOption("--keys <file>", "public signing keys of all sites, from whom you trust")
    .addHelpText(
      "after",
      [
        "",
        "Needs no network and no service: the file, the keys and this command. Says in words what is proven and",
        "what is not, site by site. Changing any byte, leaving an event out or swapping two is found and named.",
        "Exit code: 0 everything is proven, 1 something is not (and nothing contradicts), 2 do not rely on it:",
        "it was changed, a seal is false, or it is no evidence at all.",
      ].join("\n"),
    )
    .action(async (file: string, _given: unknown, self: Command) =>
      run(file, self.optsWithGlobals<Options>()),
    );
  examples(
    command,
    "qalqan evidence verify astana-01K0000000000000000000000A.evidence.json --keys signing-keys.json",
  );
}

async function run(file: string, options: Options): Promise<void> {
  const { verifyEvidence } = await import("../../evidence/verify-evidence.ts");
  const text = readEvidence(file);
  const keys = await readKeys(options.keys);
  const { directive, findings, limits } = verifyEvidence(text, keys);
  const verdict = verdictOf(findings);
  process.exitCode = exitCodes[verdict];
  answer(options, { file, directive, verdict, findings, limits }, () => [
    ...headline(file, directive, verdict),
    ...section("FALSE: do not rely on this file", findings, "false"),
    ...section("PROVEN", findings, "proven"),
    ...section("NOT PROVEN", findings, "not-proven"),
    "WHAT NO SUCH FILE PROVES",
    ...limits.map((limit) => `  ${limit}`),
  ]);
}

/** Every byte counts, so nothing is trimmed. */
function readEvidence(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new WrongUse({
      field: "file",
      value: file,
      message: `the evidence cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "give the path of a file that `qalqan evidence export` wrote",
    });
  }
}

async function readKeys(file: string) {
  const { parseSigningKeys, SigningKeysInvalid } = await import("#domain/signing-keys.ts");
  try {
    return parseSigningKeys(readOptionFile("keys", file));
  } catch (error) {
    if (!(error instanceof SigningKeysInvalid)) throw error;
    throw new WrongUse({
      field: "keys",
      value: file,
      message: `this is no file of public signing keys: ${error.message}`,
      remedy: "write one where the nation runs: npx qalqan evidence keys --out signing-keys.json",
    });
  }
}

function verdictOf(findings: readonly Finding[]): Verdict {
  const has = (wanted: Verdict) => findings.some(({ verdict }) => verdict === wanted);
  if (has("false")) return "false";
  return has("not-proven") ? "not-proven" : "proven";
}

function headline(file: string, directive: string, verdict: Verdict): string[] {
  switch (verdict) {
    case "proven":
      return [`${file} proves what it says about ${directive}`];
    case "not-proven":
      return [`${file} is genuine; not all that it says about ${directive} is proven`];
    case "false":
      return [`${file} is not to be relied on`];
    default:
      return verdict satisfies never;
  }
}

function section(title: string, findings: readonly Finding[], verdict: Verdict): string[] {
  const own = findings.filter((finding) => finding.verdict === verdict);
  if (own.length === 0) return [];
  const sites = [...new Set(own.map(({ site }) => site))];
  return [
    title,
    ...sites.flatMap((site) => [
      `  ${site === "" ? "the file" : site}`,
      ...own.filter((finding) => finding.site === site).map(({ text }) => `    ${text}`),
    ]),
  ];
}
