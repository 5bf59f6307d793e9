import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli } from "#test/cli/run-cli.ts";
import {
  RunningNation,
  type DirectiveDocument,
  type ScreenDocument,
  type StatusDocument,
} from "./running-nation.ts";

interface Exported {
  readonly unsealed: number;
}
interface Verified {
  readonly verdict: string;
  readonly findings: readonly { readonly site: string; readonly text: string }[];
}

const fraudster = "+447911123456";
const citizen = "+77172551111";
const regions = ["astana", "almaty", "mangystau"];

describe("a directive given in one region", () => {
  let nation: RunningNation;
  let directive: DirectiveDocument;
  let approvedId: string;

  beforeAll(async () => {
    nation = await RunningNation.start();
  });
  afterAll(async () => {
    await nation[Symbol.asyncDispose]();
  });

  const screen = (region: string, from: string, ...more: string[]) =>
    nation.json<ScreenDocument>(
      "screen",
      ...["--region", region, "--from", from, "--to", citizen, "--trunk", "intl-1"],
      ...more,
    );

  it("is accepted, and every region gives its receipt", async () => {
    directive = await nation.json<DirectiveDocument>(
      ...["directive", "issue", "--region", "astana", "--number", fraudster, "--action", "block"],
      ...["--basis", "communications-law-41-1", "--reason", "fraud", "--expires", "6d", "--wait"],
    );
    expect(directive).toMatchObject({
      revision: 1,
      scope: "nation",
      state: "national",
      missing: [],
      target: fraudster,
    });
    expect(directive.id).toMatch(/^astana-[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(directive.receipts.map(({ region }) => region).sort()).toEqual([...regions].sort());
    for (const receipt of directive.receipts) {
      expect(receipt.state).toBe("enforced");
      expect(receipt.milliseconds).toBeGreaterThanOrEqual(0);
    }
  });

  it.each(["+447911123456", "00447911123456", "810447911123456", "447911123456", "+44 7911 123-456"])(
    "stops the call in another region, dialled as %s",
    async (dialled) => {
      expect(await screen("mangystau", dialled)).toMatchObject({
        verdict: "block",
        decision: "block",
        directive: directive.id,
        enforced: true,
      });
    },
  );

  it("does nothing to a call to 112, and is only recorded on a trunk in shadow", async () => {
    const emergency = await nation.json<ScreenDocument>(
      ...["screen", "--region", "almaty", "--from", fraudster, "--to", "112", "--trunk", "intl-1"],
    );
    expect(emergency.verdict).toBe("allow");
    const shadow = await nation.json<ScreenDocument>(
      ...["screen", "--region", "almaty", "--from", fraudster, "--to", citizen, "--trunk", "intl-2"],
    );
    expect(shadow).toMatchObject({ verdict: "allow", decision: "block", mode: "shadow", enforced: false });
  });

  it("is still enforced after everything was stopped and started again", async () => {
    nation = await nation.restart();
    expect(await screen("mangystau", fraudster)).toMatchObject({ verdict: "block", directive: directive.id });
    const shown = await nation.json<DirectiveDocument>("directive", "show", directive.id);
    expect(shown.receipts.map(({ state }) => state)).toEqual(regions.map(() => "enforced"));
  });

  it("is gone everywhere once it was revoked, also after another restart", async () => {
    const revoked = await nation.json<DirectiveDocument>(
      "directive",
      "revoke",
      directive.id,
      "--reason",
      "mistake",
      "--wait",
    );
    expect(revoked.state).toBe("revoked");
    for (const region of regions) expect((await screen(region, fraudster)).verdict).toBe("allow");
    nation = await nation.restart();
    for (const region of regions) expect((await screen(region, fraudster)).verdict).toBe("allow");
  });

  it("leaves all regions with the capital's digest", async () => {
    let status = await nation.json<StatusDocument>("status");
    // A region that was just told something is behind until its next receipt.
    const states = async () => {
      status = await nation.json<StatusDocument>("status");
      return status.regions.map(({ region, state }) => ({ region, state }));
    };
    const inSync = regions.map((region) => ({ region, state: "in-sync" }));
    await expect.poll(states, { timeout: 30_000 }).toEqual(expect.arrayContaining(inSync));
    expect(new Set(status.regions.map(({ digest }) => digest)).size).toBe(1);
  });

  it("needs a second person for a Kazakh range, and says who", async () => {
    const held = await nation.json<DirectiveDocument>(
      ...[
        "directive",
        "issue",
        "--region",
        "astana",
        "--range",
        "+77011230000-+77011239999",
        "--action",
        "block",
      ],
      ...["--basis", "communications-law-41-1", "--reason", "fraud", "--expires", "1d", "--wait"],
    );
    expect(held.state).toBe("held");
    expect(held.missing).toContain("second-person");
    const approved = await nation.json<DirectiveDocument>("directive", "approve", held.id, "--wait");
    expect(approved.state).toBe("national");
    expect((await screen("almaty", "+77011234567", "--trunk", "dom-1")).decision).toBe("block");
    approvedId = held.id;
  });

  it("is proven by one file to somebody without network and without our services", async () => {
    const [file, keys] = [
      path.join(nation.dataFolder, "evidence.json"),
      path.join(nation.dataFolder, "k.json"),
    ];
    await nation.json("evidence", "keys", "--out", keys);
    // What was said in the last second is sealed in the next.
    await expect
      .poll(
        async () => (await nation.json<Exported>("evidence", "export", approvedId, "--out", file)).unsealed,
        {
          timeout: 30_000,
          interval: 1_000,
        },
      )
      .toBe(0);
    const verify = (evidence: string) =>
      runCli("evidence", "verify", evidence, "--keys", keys, "--data", "/nowhere", "--json");
    const { code, stdout } = await verify(file);
    const { verdict, findings } = JSON.parse(stdout) as Verified;
    const texts = findings.map(({ site, text }) => `${site}: ${text}`).join("\n");
    expect({ code, verdict, texts }).toMatchObject({ code: 0, verdict: "proven" });
    expect(texts).toMatch(/astana: revision 1: block .*asked for by operator-1\.astana \(operator\)/);
    expect(texts).toMatch(/astana: revision 1 was approved \(second-person\) by /);
    expect(texts).toMatch(/capital: revision 1 was accepted by message \d+ of NATIONAL/);
    for (const region of regions)
      expect(texts).toMatch(new RegExp(`${region}: screening-0 enforced the decision .* digests are equal`));

    const changed = path.join(nation.dataFolder, "changed.json");
    writeFileSync(changed, readFileSync(file, "utf8").replace(/"bytes": "(.)/, '"bytes": "$1A'));
    expect((await verify(changed)).code).toBe(2);
  });

  it("is put into shadow by the stop switch of its region, at once, and back", async () => {
    const again = await nation.json<DirectiveDocument>(
      ...["directive", "issue", "--region", "almaty", "--number", "+447911000001", "--action", "block"],
      ...["--basis", "communications-law-41-1", "--reason", "fraud", "--expires", "6d", "--wait"],
    );
    await nation.json("stop", "--region", "mangystau");
    await expect
      .poll(async () => (await screen("mangystau", "+447911000001")).mode, { timeout: 30_000 })
      .toBe("stopped");
    expect((await screen("mangystau", "+447911000001")).verdict).toBe("allow");
    expect((await screen("astana", "+447911000001")).directive).toBe(again.id);
    await nation.json("resume", "--region", "mangystau");
    await expect
      .poll(async () => (await screen("mangystau", "+447911000001")).verdict, { timeout: 30_000 })
      .toBe("block");
    await nation.json("stop");
    for (const region of regions) {
      await expect
        .poll(async () => (await screen(region, "+447911000001")).verdict, { timeout: 30_000 })
        .toBe("allow");
    }
    await nation.json("resume");
  });
});
