import { expect, test } from "vitest";
import { capitalStack } from "#infra/blueprint/capital-stack.ts";
import {
  hubAccounts,
  hubConfiguration,
  regionConfiguration,
  type NatsPlace,
} from "#infra/blueprint/nats-configuration.ts";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { regionalStack } from "#infra/blueprint/regional-stack.ts";
import type { NatsServer, Stack } from "#infra/blueprint/stack.ts";

const place = (secretFile: string): NatsPlace => ({
  listen: (port) => `0.0.0.0:${port}`,
  caFile: "/secrets/ca.pem",
  lineCaFile: "/secrets/line-ca.pem",
  certificateFile: "/secrets/nats.pem",
  keyFile: "/secrets/nats.key.pem",
  storageFolder: "/storage",
  secretFile,
});

function serverOf(stack: Stack): NatsServer {
  const program = stack.workloads.find(({ name }) => name === "nats")?.program;
  if (program?.kind !== "nats") throw new Error(`${stack.site} has no NATS server`);
  return program.server;
}

test("the hub's configuration is the one that was reviewed", async () => {
  const server = serverOf(capitalStack());
  await expect(hubConfiguration(server, place("accounts.conf"))).toMatchFileSnapshot("golden/hub.conf");
});

test("the hub's accounts for two regions are those that were reviewed", async () => {
  const text = hubAccounts({
    coordination: ["UCOORDINATION"],
    system: ["USYSTEM"],
    leaf: new Map([
      ["mangystau", ["UMANGYSTAU"]],
      ["astana", ["UASTANA"]],
    ]),
  });
  await expect(text).toMatchFileSnapshot("golden/hub-accounts.conf");
});

test("whoever's keys are rotated is let in with the previous key as well, and with no other", () => {
  const text = hubAccounts({
    coordination: ["UCOORDINATION", "UFORMERCOORDINATION"],
    system: ["USYSTEM"],
    leaf: new Map([
      ["astana", ["UASTANA", "UFORMERASTANA"]],
      ["mangystau", ["UMANGYSTAU"]],
    ]),
  });
  const usersOf = (account: string) =>
    Array.from(
      (text.split(`  ${account} {`)[1]?.split("\n  }")[0] ?? "").matchAll(
        /nkey: (\w+), (permissions: .*) \}$/gm,
      ),
      ([, key, permissions]) => ({ key, permissions }),
    );
  expect(usersOf("CAPITAL").map(({ key }) => key)).toEqual(["UCOORDINATION", "UFORMERCOORDINATION"]);
  expect(usersOf("REGION-mangystau").map(({ key }) => key)).toEqual(["UMANGYSTAU"]);
  const [current, previous, ...others] = usersOf("REGION-astana");
  expect([current?.key, previous?.key, others]).toEqual(["UASTANA", "UFORMERASTANA", []]);
  expect(previous?.permissions).toBe(current?.permissions);
});

test("a region's configuration is the one that was reviewed", async () => {
  const stack = regionalStack(loadRegions().find(({ slug }) => slug === "astana") ?? failed());
  const server = serverOf(stack);
  const text = regionConfiguration(stack, server, place("leaf-seed.conf"), "hub.example:7422", (secret) => [
    secret.toUpperCase(),
  ]);
  await expect(text).toMatchFileSnapshot("golden/region.conf");
});

function failed(): never {
  throw new Error("there is no region astana");
}
