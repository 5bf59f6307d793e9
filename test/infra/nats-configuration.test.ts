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
    coordination: "UCOORDINATION",
    system: "USYSTEM",
    leaf: new Map([
      ["mangystau", "UMANGYSTAU"],
      ["astana", "UASTANA"],
    ]),
  });
  await expect(text).toMatchFileSnapshot("golden/hub-accounts.conf");
});

test("a region's configuration is the one that was reviewed", async () => {
  const stack = regionalStack(loadRegions().find(({ slug }) => slug === "astana") ?? failed());
  const server = serverOf(stack);
  const text = regionConfiguration(stack, server, place("leaf-seed.conf"), "hub.example:7422", (secret) =>
    secret.toUpperCase(),
  );
  await expect(text).toMatchFileSnapshot("golden/region.conf");
});

function failed(): never {
  throw new Error("there is no region astana");
}
