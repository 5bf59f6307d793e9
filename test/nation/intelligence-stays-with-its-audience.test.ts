import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RunningNation } from "./running-nation.ts";

const regions = ["astana", "almaty", "mangystau"];
/** Wallets that are found again byte by byte. */
const wallets = {
  region: "0xAAAAregionAloneAAAAAAAAAAAAAAAAAAAAAAAAA1",
  named: "0xBBBBnamedRegionBBBBBBBBBBBBBBBBBBBBBBBBB2",
  all: "0xCCCCallCentresCCCCCCCCCCCCCCCCCCCCCCCCCC3",
};
const note = "a free note that nobody outside may read 7f3a91";

interface Piece {
  readonly id: string;
}

describe("a piece of intelligence", () => {
  let nation: RunningNation;
  const ids: Partial<Record<keyof typeof wallets, string>> = {};

  const add = async (audience: string, address: string) =>
    nation.json<Piece>(
      ...["intelligence", "add", "--region", "astana", "--kind", "wallet"],
      ...["--field", "network=ethereum", "--field", `address=${address}`],
      ...["--audience", audience, "--tlp", "amber", "--note", note],
    );
  const listed = async (region: string) =>
    (await nation.json<Piece[]>("intelligence", "list", "--region", region)).map(({ id }) => id);
  /** A running server makes files and removes them. */
  const bytesIn = (file: string) => {
    try {
      return readFileSync(file);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return Buffer.alloc(0);
      throw error;
    }
  };
  /** Everything that a site's NATS server has on its disk. */
  const bytesOf = (site: string) => {
    const folder = path.join(nation.dataFolder, site, "nats-jetstream");
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    return Buffer.concat(files.map((file) => bytesIn(path.join(file.parentPath, file.name))));
  };

  beforeAll(async () => {
    nation = await RunningNation.start();
  });
  afterAll(async () => {
    await nation[Symbol.asyncDispose]();
  });

  it("reaches its audience", async () => {
    ids.region = (await add("region", wallets.region)).id;
    ids.named = (await add("almaty", wallets.named)).id;
    ids.all = (await add("all", wallets.all)).id;
    for (const region of regions) {
      await expect.poll(async () => listed(region), { timeout: 30_000 }).toContain(ids.all);
    }
    await expect.poll(async () => listed("almaty"), { timeout: 30_000 }).toContain(ids.named);
  });

  it("is listed in the regions of its audience and in no other", async () => {
    expect((await listed("astana")).toSorted()).toEqual([ids.region, ids.named, ids.all].toSorted());
    expect((await listed("almaty")).toSorted()).toEqual([ids.named, ids.all].toSorted());
    expect(await listed("mangystau")).toEqual([ids.all]);
  });

  it("with the region as audience is in no byte of the hub's or another region's streams", () => {
    for (const site of ["capital", "almaty", "mangystau"]) {
      const bytes = bytesOf(site);
      expect(bytes.includes(wallets.all), `${site} holds what is for all`).toBe(true);
      expect(bytes.includes(wallets.region), `${site} holds what is for the region`).toBe(false);
      expect(bytes.includes(ids.region ?? ""), `${site} knows its id`).toBe(false);
      expect(bytes.includes(note), `${site} holds a note`).toBe(false);
    }
    expect(bytesOf("mangystau").includes(wallets.named)).toBe(false);
    expect(bytesOf("almaty").includes(wallets.named)).toBe(true);
  });

  it("is withdrawn everywhere when its region withdraws it", async () => {
    await nation.json("intelligence", "withdraw", ids.all ?? "");
    for (const region of regions) {
      await expect.poll(async () => listed(region), { timeout: 30_000 }).not.toContain(ids.all);
    }
  });

  it("does not release a script's wording with a number in it", async () => {
    for (const wording of [
      "Call me back at 8 701 123 45 67",
      "Позвоните: восемь семьсот один сто двадцать три сорок пять шестьдесят семь",
      "Қоңырау шалыңыз: сегіз жеті нөл бір бір екі үш төрт",
    ]) {
      const result = await nation.run(
        ...[
          "intelligence",
          "add",
          "--region",
          "astana",
          "--kind",
          "script",
          "--audience",
          "all",
          "--tlp",
          "green",
        ],
        ...["--field", "language=ru", "--field", "pretext=bank-security", "--wording", wording, "--json"],
      );
      expect(result.code).toBe(1);
      expect(JSON.parse(result.stdout)).toMatchObject({
        error: { field: expect.stringMatching(/wording/i) as string },
      });
    }
  });
});
