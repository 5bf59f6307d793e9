import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { parseSync } from "oxc-parser";

/** The folder of the checkout. */
export const checkout = join(import.meta.dirname, "..", "..");

/** Text of a file of the project. */
export const textOf = (file: string): string => readFileSync(join(checkout, file), "utf8");

/** Every file of the project as git sees it, committed or new, by its path below the checkout. */
export const projectFiles: readonly string[] = execFileSync(
  "git",
  ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
  { cwd: checkout, encoding: "utf8", maxBuffer: 64 << 20 },
)
  .split("\0")
  .filter((file) => file !== "" && !deletedFiles().has(file))
  .toSorted();

function deletedFiles(): Set<string> {
  const deleted = execFileSync("git", ["ls-files", "-z", "--deleted"], { cwd: checkout, encoding: "utf8" });
  return new Set(deleted.split("\0"));
}

/** Code that the contract's compiler wrote. */
export const isGenerated = (file: string): boolean => /^proto\/qalqan\/.*\.ts$/.test(file);

/** Code that people wrote. */
export const codeFiles = projectFiles.filter((file) => /\.(ts|tsx|mjs)$/.test(file) && !isGenerated(file));

export interface Source {
  file: string;
  /** What the file names in `import` and `export … from`, types and dynamic imports too. */
  imports: string[];
  /** The text with every comment blanked out; lines stay where they are. */
  code: string;
}

/** Reads one file of code; throws on one that does not parse. */
export function readSource(file: string, text = textOf(file)): Source {
  const { module, comments, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  let code = text;
  for (const { start, end } of comments) {
    code = code.slice(0, start) + code.slice(start, end).replaceAll(/[^\n]/g, " ") + code.slice(end);
  }
  const reexports = module.staticExports.flatMap((statement) =>
    statement.entries.map((entry) => entry.moduleRequest),
  );
  const imports = [
    ...module.staticImports.map((statement) => statement.moduleRequest.value),
    ...reexports.flatMap((request) => (request === null ? [] : [request.value])),
    ...Array.from(code.matchAll(/\bimport\(\s*["'`]([^"'`]+)["'`]/g), (match) => match[1] ?? ""),
  ];
  return { file, imports: [...new Set(imports)], code };
}

const aliases: Record<string, string> = JSON.parse(textOf("package.json")).imports;

/** The file of ours that an import means, or `undefined` for a package and for Node's own modules. */
export function importedFile(file: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return posix.join(posix.dirname(file), specifier);
  for (const [alias, folder] of Object.entries(aliases)) {
    const prefix = alias.replace("*", "");
    if (specifier.startsWith(prefix))
      return posix.join(folder.replace("*", ""), specifier.slice(prefix.length));
  }
  return undefined;
}
