import { createWriteStream, existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { readRelease } from "#infra/deployment/release.ts";
import { sha256OfFile, writeArchive } from "#infra/image/archive.ts";
import { layer, link, text } from "#infra/image/entries.ts";
import { buildImage } from "#infra/image/image.ts";
import { makeImages, type ImagesWish } from "#infra/image/make-images.ts";
import { checkout } from "#test/house/sources.ts";
import { temporaryFolder } from "#test/infra/small-nation.ts";
import { builtImages, builtRepository, builtVersion, type BuiltImages } from "./built-images.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const upstream = {
  nats: `docker.io/library/nats@${digest("1")}`,
  postgres: `docker.io/library/postgres@${digest("2")}`,
};

const wishFor = (folder: string): ImagesWish => ({
  checkout,
  repository: builtRepository,
  version: builtVersion,
  servers: upstream,
  out: join(folder, "images"),
  releaseFile: join(folder, "deployment", "release.json"),
});

let before: BuiltImages;

beforeAll(async () => {
  before = await builtImages();
});

describe("the image of the services", () => {
  test("is made of the same bytes in another folder, at another time", async () => {
    using folder = temporaryFolder();
    const told: [bytes: number, total: number][] = [];
    const wish = wishFor(folder.path);
    const { images, release } = await makeImages({
      ...wish,
      onProgress: (...progress) => told.push(progress),
    });

    expect(images.qalqan?.reference).toBe(before.release.images.qalqan);
    expect(images.qalqan?.reference).toBe(`${builtRepository}@${images.qalqan?.digest}`);
    const [file, bill] = [images.qalqan?.file ?? "", images.qalqan?.billOfMaterials ?? ""];
    expect(await sha256OfFile(file)).toBe(await sha256OfFile(before.files.qalqan));
    expect(readFileSync(bill, "utf8")).toBe(readFileSync(before.bills.qalqan, "utf8"));

    expect(readRelease(wish.releaseFile)).toEqual(release);
    expect(release).toEqual({
      version: builtVersion,
      images: { qalqan: images.qalqan?.reference, ...upstream },
    });
    expect(readdirSync(wish.out).toSorted()).toEqual(["qalqan.cdx.json", "qalqan.oci.tar"]);
    const [bytes, total] = told.at(-1) ?? [];
    expect(bytes).toBe(total);
    expect(total).toBeGreaterThan(100 << 20);
  });
});

describe("an image", () => {
  const wish = {
    name: "small",
    version: "1",
    repository: "localhost/small",
    config: { user: "1:1", environment: {}, labels: {} },
  };
  const digestOf = async (content: string, user = "1:1") => {
    using folder = temporaryFolder();
    const layers = [layer("one", [text("a/b", content), link("a/c", "b")])];
    const config = { ...wish.config, user };
    return (await buildImage({ ...wish, config, layers, out: folder.path })).digest;
  };

  test("is another one when one byte of it is another", async () => {
    const one = await digestOf("content");
    expect(await digestOf("content")).toBe(one);
    expect(await digestOf("Content")).not.toBe(one);
    expect(await digestOf("content", "2:2")).not.toBe(one);
  });

  test("is not there, not even in part, when a file is lost while it is made", async () => {
    using folder = temporaryFolder();
    const lost = {
      kind: "file",
      path: "lost",
      executable: false,
      bytes: 5,
      source: "/does/not/exist",
    } as const;
    const layers = [layer("one", [lost])];
    await expect(buildImage({ ...wish, layers, out: folder.path })).rejects.toThrow("ENOENT");
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("names the disk when it is the disk that is full", async () => {
    const large = { kind: "file", path: "large", executable: false, bytes: 8 << 20 } as const;
    for (const source of [Buffer.alloc(large.bytes), Readable.from([Buffer.alloc(large.bytes)])]) {
      const written = writeArchive([{ ...large, source }], [createWriteStream("/dev/full")]);
      await expect(written).rejects.toMatchObject({ code: "ENOSPC" });
    }
  });

  test("has each path once", () => {
    expect(() => layer("one", [text("a", "1"), text("a", "2")])).toThrow("two entries");
  });
});

describe("before anything is made", () => {
  test.each([
    ["repository", { repository: "Registry.example/Qalqan" }],
    ["repository", { repository: "qalqan" }],
    ["repository", { repository: "registry.example/qalqan:latest" }],
    ["repository", { repository: "registry.example/qalqan@sha256:00" }],
    ["version", { version: "next one" }],
    ["nats", { servers: { ...upstream, nats: "docker.io/library/nats:2" } }],
    ["postgres", { servers: { ...upstream, postgres: "" } }],
  ])("a %s that is none is refused by name: %j", async (field, wrong) => {
    using folder = temporaryFolder();
    await expect(makeImages({ ...wishFor(folder.path), ...wrong })).rejects.toMatchObject({
      name: "Problem",
      field,
    });
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("a machine without apt is told what is missing, and the release stays what it was", async () => {
    using folder = temporaryFolder();
    vi.stubEnv("PATH", "");
    try {
      await expect(makeImages(wishFor(folder.path))).rejects.toMatchObject({ code: "apt-missing" });
    } finally {
      vi.unstubAllEnvs();
    }
    expect(existsSync(join(folder.path, "deployment"))).toBe(false);
  });
});
