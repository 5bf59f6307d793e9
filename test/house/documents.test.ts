import { globSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";
import { checkout, importedFile, projectFiles, textOf } from "./sources.ts";

const documents = projectFiles.filter((file) => file.endsWith(".md") && !file.startsWith("test/data/"));
const topLevel = new Set(projectFiles.map((file) => file.split("/")[0]));

/** What a document quotes as code, outside its fenced blocks. */
const quoted = (text: string): string[] =>
  Array.from(text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`\n]+)`/g), (match) => match[1] ?? "");

/** Paths of the project in a document: quoted ones (`#aliases` and globs too) and the targets of its links. */
function pathsIn(document: string, text: string): string[] {
  const looksLikePath = (word: string) => /^[\w.@#{},*-]+(\/[\w.@{},*-]+)*\/?$/.test(word);
  const paths = quoted(text)
    .filter((word) => looksLikePath(word) && word.includes("/"))
    .map((word) => importedFile(document, word.startsWith("#") ? word : "") ?? word)
    .filter((path) => topLevel.has(path.split("/")[0] ?? ""));
  const rootFiles = quoted(text).filter((word) =>
    /^(\w[\w-]*\.(json|ts|md|yaml)|[A-Z]{4,}(\.md)?)$/.test(word),
  );
  const links = Array.from(text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g), (match) =>
    posix.join(posix.dirname(document), match[1] ?? ""),
  );
  return [...paths, ...rootFiles.filter((word) => topLevel.has(word)), ...links];
}

const exists = (path: string): boolean => globSync(path, { cwd: checkout }).length > 0;

test("every path that a document names exists", () => {
  const dead = documents.flatMap((document) =>
    pathsIn(document, textOf(document))
      .filter((path) => !exists(path))
      .map((path) => `${document} names ${path}`),
  );
  expect(dead).toEqual([]);
});

test("a path that does not exist is found in its quotes, behind its alias and in a link", () => {
  const text =
    "`proto/names.ts` `proto/gone.ts` `#proto/gone/*.ts` `a/b` `N/A` [gone](proto/gone.md) [out](https://a.b)";
  expect(pathsIn("README.md", text).filter((path) => !exists(path))).toEqual([
    "proto/gone.ts",
    "proto/gone/*.ts",
    "proto/gone.md",
  ]);
});

test("every npm script that a document names exists", () => {
  const scripts = Object.keys(JSON.parse(textOf("package.json")).scripts);
  const named = documents.flatMap((document) =>
    Array.from(textOf(document).matchAll(/\bnpm run ([\w:-]+)/g), (match) => match[1] ?? ""),
  );
  expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
});
