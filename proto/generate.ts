/**
 * Generates the code of the contract beside its `.proto` files:
 *
 *   npm run generate
 *
 * Two compilers can do it, and must give the same bytes: `grpc-tools`' protoc,
 * which not every network lets npm install, and buf's. `buf.gen.yaml` holds the
 * plugin and its options for both.
 */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";

const run = promisify(execFile);
const contract = import.meta.dirname;
const binaries = join(contract, "..", "node_modules", ".bin");

export type Compiler = "buf" | "grpc-tools";

/** Runs a program of `node_modules/.bin` in a folder; rejects with what it wrote. */
export async function runTool(name: string, parameters: string[], folder: string): Promise<string> {
  const environment = { ...process.env, PATH: [binaries, process.env["PATH"] ?? ""].join(delimiter) };
  const { stdout } = await run(join(binaries, name), parameters, { cwd: folder, env: environment });
  return stdout;
}

/** The compilers that are installed; buf always is. */
export function installedCompilers(): Compiler[] {
  try {
    createRequire(import.meta.url).resolve("grpc-tools/package.json");
    return ["buf", "grpc-tools"];
  } catch {
    return ["buf"];
  }
}

/** Files below `qalqan/` that end so, sorted: `qalqan/events/v1/events.proto`. */
async function filesOf(folder: string, ending: ".proto" | ".ts"): Promise<string[]> {
  const files = await readdir(join(folder, "qalqan"), { recursive: true });
  return files
    .filter((file) => file.endsWith(ending))
    .map((file) => join("qalqan", file))
    .toSorted();
}

async function compileWithProtoc(target: string): Promise<void> {
  const template: { plugins: [{ local: string; opt: string[] }] } = parse(
    await readFile(join(contract, "buf.gen.yaml"), "utf8"),
  );
  const [{ local: plugin, opt: options }] = template.plugins;
  const name = plugin.replace("protoc-gen-", "");
  const protocParameters = [
    `--proto_path=${contract}`,
    `--plugin=${plugin}=${join(binaries, plugin)}`,
    `--${name}_out=${target}`,
    `--${name}_opt=${options.join(",")}`,
    ...(await filesOf(contract, ".proto")),
  ];
  await runTool("grpc_tools_node_protoc", protocParameters, contract);
}

/** Compiles the whole contract into `target`, an empty folder. */
async function compile(compiler: Compiler, target: string): Promise<void> {
  if (compiler === "buf") await runTool("buf", ["generate", "--output", target], contract);
  else await compileWithProtoc(target);
}

/** Every generated file by its path below the contract's folder, with its text. */
async function generatedFiles(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const file of await filesOf(folder, ".ts")) {
    files.set(file, await readFile(join(folder, file), "utf8"));
  }
  return files;
}

/** Names the committed files that differ from what the compiler gives now: stale, missing or left over. */
export async function staleFiles(compiler: Compiler): Promise<string[]> {
  const target = await mkdtemp(join(tmpdir(), "qalqan-contract-"));
  try {
    await compile(compiler, target);
    const [committed, fresh] = [await generatedFiles(contract), await generatedFiles(target)];
    const names = new Set([...committed.keys(), ...fresh.keys()]);
    return [...names].filter((name) => committed.get(name) !== fresh.get(name)).toSorted();
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

/** Puts fresh code in place of the committed one, and takes away what no `.proto` gives any more. */
async function generate(compiler: Compiler): Promise<void> {
  const target = await mkdtemp(join(tmpdir(), "qalqan-contract-"));
  try {
    await compile(compiler, target);
    const fresh = await generatedFiles(target);
    await cp(target, contract, { recursive: true });
    for (const file of await filesOf(contract, ".ts")) {
      if (!fresh.has(file)) await rm(join(contract, file));
    }
    console.log(`generated ${fresh.size} files with ${compiler}`);
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

if (import.meta.main) await generate(installedCompilers().at(-1) ?? "buf");
