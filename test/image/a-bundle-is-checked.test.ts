import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { makeSigningKey, readSigningKey, readVerifyingKey } from "#infra/bundle/key.ts";
import type { BundleFile } from "#infra/bundle/bundle-files.ts";
import { verifyBundle } from "#infra/bundle/verify-bundle.ts";
import { writeBundle } from "#infra/bundle/write-bundle.ts";
import { placeholderRelease as release } from "#infra/deployment/release.ts";
import { sha256, writeArchive, writeTo } from "#infra/image/archive.ts";
import { link, type Entry } from "#infra/image/entries.ts";
import { temporaryFolder } from "#test/infra/small-nation.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");

const file = (path: string, content: string | Buffer, executable = false): BundleFile => {
  const source = Buffer.from(content);
  return { kind: "file", path, executable, bytes: source.length, source };
};
const longPath = `project/${"very-long-folder/".repeat(20)}файл.txt`;
const files = [
  file("README.txt", "what to do\n"),
  file("images/empty", ""),
  file("images/one.tar", "0123456789".repeat(300)),
  file("project/bin/run", "#!/bin/sh\n", true),
  file(longPath, "deep"),
  file("release.json", "{}"),
];

/** A bundle of a few files. */
async function written(folder: string, name = "bundle.tar", key: KeyObject = privateKey): Promise<string> {
  return (await writeBundle({ files, release, key, out: join(folder, name) })).file;
}

/** Entries of a good bundle, for somebody who writes it again in another way. */
async function entriesOf(folder: string): Promise<Entry[]> {
  const unpacked = join(folder, "unpacked");
  mkdirSync(unpacked);
  execFileSync("tar", ["-xf", await written(folder), "-C", unpacked]);
  const ends = ["checksums.json", "checksums.sig"].map((path) =>
    file(path, readFileSync(join(unpacked, path))),
  );
  return [...files, ...ends];
}

async function rewritten(folder: string, entries: readonly Entry[]): Promise<string> {
  const path = join(folder, "rewritten.tar");
  await writeArchive(entries, [writeTo(path)]);
  return path;
}

describe("a bundle", () => {
  test("is good as it was written, and tar unpacks what went in", async () => {
    using folder = temporaryFolder();
    const bundle = await writeBundle({ files, release, key: privateKey, out: join(folder.path, "a.tar") });
    const bytes = readFileSync(bundle.file);
    expect(bundle).toMatchObject({ files: files.length, bytes: bytes.length, sha256: sha256(bytes) });
    expect(await verifyBundle(bundle.file, publicKey)).toEqual({
      release,
      files: files.length,
      bytes: bytes.length,
      sha256: bundle.sha256,
    });
    execFileSync("tar", ["-xf", bundle.file, "-C", folder.path]);
    for (const { path, source, executable } of files) {
      expect(readFileSync(join(folder.path, path))).toEqual(source);
      expect((statSync(join(folder.path, path)).mode & 0o100) !== 0).toBe(executable);
    }
  });

  test("has checksums and signature that others check without us", async () => {
    using folder = temporaryFolder();
    execFileSync("tar", ["-xf", await written(folder.path), "-C", folder.path]);
    const list = readFileSync(join(folder.path, "checksums.json"));
    expect(verify(null, list, publicKey, readFileSync(join(folder.path, "checksums.sig")))).toBe(true);
    const checksums = JSON.parse(list.toString()).files;
    expect(Object.keys(checksums)).toEqual(files.map(({ path }) => path));
    for (const { path, source } of files) expect(checksums[path].sha256).toBe(sha256(source as Buffer));
  });

  test("is made of the same bytes twice", async () => {
    using folder = temporaryFolder();
    const [one, two] = [await written(folder.path, "1.tar"), await written(folder.path, "2.tar")];
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true);
  });

  test("is not there, not even in part, when one of its files is lost", async () => {
    using folder = temporaryFolder();
    const lost: BundleFile = { ...file("lost", "12345"), source: join(folder.path, "lost") };
    const wish = { files: [...files, lost], release, key: privateKey, out: join(folder.path, "a.tar") };
    await expect(writeBundle(wish)).rejects.toThrow("ENOENT");
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test.each(["../out", "/etc/passwd", "a/../../b", "a//b", "./a", "a\\b", "checksums.json", "README.txt"])(
    "is not written with the path %s",
    async (path) => {
      using folder = temporaryFolder();
      const wish = {
        files: [...files, file(path, "")],
        release,
        key: privateKey,
        out: join(folder.path, "a.tar"),
      };
      await expect(writeBundle(wish)).rejects.toThrow(RangeError);
    },
  );
});

describe("whoever changes a bundle is found", () => {
  let good: Buffer;

  beforeAll(async () => {
    using folder = temporaryFolder();
    good = readFileSync(await written(folder.path));
  });

  async function verdictOn(bytes: Buffer): Promise<unknown> {
    using folder = temporaryFolder();
    const path = join(folder.path, "changed.tar");
    writeFileSync(path, bytes);
    return verifyBundle(path, publicKey).catch((error: unknown) => error);
  }

  const refused = { name: "Problem", code: expect.stringMatching(/^bundle-(changed|unsigned|unreadable)$/) };

  test("by any byte, be it of a file, of a header, of what is between, or of the end", async () => {
    const change = fc.tuple(fc.nat({ max: good.length - 1 }), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(change, async ([at, by]) => {
        const changed = Buffer.from(good);
        changed[at] = (changed[at] ?? 0) ^ by;
        expect(await verdictOn(changed)).toMatchObject(refused);
      }),
      { numRuns: 400 },
    );
  });

  test("by an end that is missing, wherever it is cut, and by one that is added", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: good.length - 1 }), async (length) => {
        expect(await verdictOn(good.subarray(0, length))).toMatchObject(refused);
      }),
      { numRuns: 100 },
    );
    for (const more of [Buffer.alloc(1), Buffer.alloc(512), Buffer.from("more"), good]) {
      expect(await verdictOn(Buffer.concat([good, more]))).toMatchObject(refused);
    }
  });

  test("by bytes that are no bundle at all", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_048 }), async (bytes) => {
        expect(await verdictOn(Buffer.from(bytes))).toMatchObject(refused);
      }),
      { numRuns: 50 },
    );
  });

  test.each<[how: string, change: (entries: Entry[]) => Entry[], code: string, path: string]>([
    [
      "a file that is missing",
      (entries) => entries.filter(({ path }) => path !== "images/one.tar"),
      "bundle-changed",
      "images/one.tar",
    ],
    ["a file that was added", (entries) => [file("A", ""), ...entries], "bundle-changed", "A"],
    ["a file behind the signature", (entries) => [...entries, file("z", "")], "bundle-changed", "z"],
    [
      "a file of other content",
      (entries) =>
        entries.map((each) => (each.path === "README.txt" ? file("README.txt", "what to d0\n") : each)),
      "bundle-changed",
      "README.txt",
    ],
    [
      "a file that can be executed now",
      (entries) =>
        entries.map((each) => (each.path === "release.json" ? file("release.json", "{}", true) : each)),
      "bundle-changed",
      "release.json",
    ],
    [
      "another order",
      ([first, second, ...rest]) => [second, first, ...rest].filter((each) => each !== undefined),
      "bundle-changed",
      "images/empty",
    ],
    [
      "a file that comes twice",
      ([first, ...rest]) => [first, first, ...rest].filter((each) => each !== undefined),
      "bundle-changed",
      "README.txt",
    ],
    [
      "a path that leaves the folder",
      (entries) => [file("../../etc/cron.d/x", ""), ...entries],
      "bundle-changed",
      "../../etc/cron.d/x",
    ],
    [
      "an absolute path",
      (entries) => [file("/etc/cron.d/x", ""), ...entries],
      "bundle-changed",
      "/etc/cron.d/x",
    ],
    ["a link", (entries) => [link("way-out", "/etc"), ...entries], "bundle-changed", "way-out"],
    ["no signature", (entries) => entries.slice(0, -1), "bundle-unsigned", "checksums.sig"],
    [
      "no checksums",
      (entries) => entries.filter(({ path }) => path !== "checksums.json"),
      "bundle-unsigned",
      "checksums.json",
    ],
  ])("by %s", async (_how, change, code, path) => {
    using folder = temporaryFolder();
    const changed = await rewritten(folder.path, change(await entriesOf(folder.path)));
    await expect(verifyBundle(changed, publicKey)).rejects.toMatchObject({
      code,
      field: "file",
      value: path,
    });
  });

  test("by checksums that were made anew without the key", async () => {
    using folder = temporaryFolder();
    const stranger = generateKeyPairSync("ed25519").privateKey;
    const forged = await written(folder.path, "forged.tar", stranger);
    await expect(verifyBundle(forged, publicKey)).rejects.toMatchObject({ code: "bundle-unsigned" });

    const entries = await entriesOf(folder.path);
    const list = Buffer.from("{}");
    const signed = sign(null, list, privateKey);
    const other = entries.map((each): Entry => {
      if (each.path === "checksums.json") return file(each.path, list);
      return each.path === "checksums.sig" ? file(each.path, signed) : each;
    });
    const path = await rewritten(folder.path, other);
    await expect(verifyBundle(path, publicKey)).rejects.toMatchObject({
      code: "bundle-unreadable",
      value: "checksums.json",
    });
  });
});

test("a large bundle is written and checked without being in memory", async () => {
  using folder = temporaryFolder();
  const large = join(folder.path, "large");
  writeFileSync(large, "");
  truncateSync(large, 96 << 20);
  // What is still held: how much has been let go of and not collected yet depends on how busy the machine is.
  // V8 gives buffers back beside the program; the second collection waits for the end of the first.
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const held = () => {
    collect();
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const before = held();
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, held())), 150);
  const many = ["1", "2"].map((path): BundleFile => ({
    ...file(path, ""),
    bytes: statSync(large).size,
    source: large,
  }));
  const { file: bundle } = await writeBundle({
    files: many,
    release,
    key: privateKey,
    out: join(folder.path, "a.tar"),
  });
  expect(await verifyBundle(bundle, publicKey)).toMatchObject({ files: 2 });
  clearInterval(watch);
  expect(most).toBeGreaterThan(0);
  expect(most - before).toBeLessThan(32 << 20);
});

describe("a signing key", () => {
  test("is written for its owner alone, and never over another one", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "key.pem");
    const made = makeSigningKey(path);
    expect(statSync(made.privateFile).mode & 0o777).toBe(0o600);
    expect(made.fingerprint).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
    const signature = sign(null, Buffer.from("content"), readSigningKey(made.privateFile));
    expect(verify(null, Buffer.from("content"), readVerifyingKey(made.publicFile), signature)).toBe(true);
    expect(() => makeSigningKey(path)).toThrow(expect.objectContaining({ code: "key-exists" }));
    expect(
      createPublicKey(createPrivateKey(readFileSync(path))).equals(readVerifyingKey(made.publicFile)),
    ).toBe(true);
  });

  test.each<[string, (folder: string) => string, string]>([
    ["a file that is not there", (folder) => join(folder, "none"), "key-unreadable"],
    ["a file that is no key", (folder) => keptAs(folder, "no key"), "key-invalid"],
    [
      "a key of another kind",
      (folder) =>
        keptAs(
          folder,
          generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
            type: "spki",
            format: "pem",
          }),
        ),
      "key-invalid",
    ],
    [
      "the private key, which has no business there",
      (folder) => keptAs(folder, privateKey.export({ type: "pkcs8", format: "pem" })),
      "key-invalid",
    ],
  ])("is not read for checking from %s", (_what, make, code) => {
    using folder = temporaryFolder();
    const path = make(folder.path);
    expect(() => readVerifyingKey(path)).toThrow(
      expect.objectContaining({ code, field: "key", value: path }),
    );
  });
});

function keptAs(folder: string, content: string | Buffer): string {
  const path = join(folder, "key");
  writeFileSync(path, content);
  return path;
}
