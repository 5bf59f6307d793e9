import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { Problem } from "../problem.ts";
import type { Manifest } from "./manifest.ts";
import { label } from "./names.ts";

/** Plain YAML for those who review, or who deploy by other means. */
export interface RenderedFile {
  /** Begins with two digits: in the order of their names, files can be applied. */
  readonly name: string;
  readonly text: string;
  /** Holds secrets: for its owner's eyes alone. */
  readonly isSecret: boolean;
}

/** The objects of a site as files: what is foundation, who may speak to whom, configuration, secrets, each workload. */
export function renderedFiles(manifests: readonly Manifest[]): readonly RenderedFile[] {
  const files = new Map<string, Manifest[]>();
  for (const manifest of manifests) {
    const name = fileOf(manifest);
    files.set(name, [...(files.get(name) ?? []), manifest]);
  }
  return [...files]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, items]) => ({
      name,
      text: items
        .map((item) => stringify(item, { lineWidth: 0, aliasDuplicateObjects: false }))
        .join("---\n"),
      isSecret: items.some(({ kind }) => kind === "Secret"),
    }));
}

function fileOf({ kind, metadata }: Manifest): string {
  switch (kind) {
    case "Namespace":
    case "PriorityClass":
      return "00-foundation.yaml";
    case "NetworkPolicy":
      return "10-network-policies.yaml";
    case "ConfigMap":
      return "20-configuration.yaml";
    case "Secret":
      return "30-secrets.yaml";
    default:
      return `40-${metadata.labels?.[label.name] ?? metadata.name}.yaml`;
  }
}

/**
 * Writes the files of a site, in place of those that were there: all of them or none.
 *
 * @throws Problem `folder-in-use` when something else is in the folder
 */
export function writeRendered(folder: string, files: readonly RenderedFile[]): void {
  const others = existsSync(folder)
    ? readdirSync(folder).filter((name) => !/^\d\d-.*\.yaml$/.test(name))
    : [];
  if (others.length > 0) {
    throw new Problem({
      code: "folder-in-use",
      field: "out",
      value: folder,
      message: `${folder} has files that were not rendered: ${others.slice(0, 3).join(", ")}`,
      remedy: "give an empty folder with --out",
    });
  }
  mkdirSync(dirname(folder), { recursive: true });
  const draft = mkdtempSync(`${folder}.new-`);
  try {
    for (const { name, text, isSecret } of files) {
      writeFileSync(join(draft, name), text, { mode: isSecret ? 0o600 : 0o644 });
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
