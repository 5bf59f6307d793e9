import { z } from "zod";
import type { Stack } from "#infra/blueprint/stack.ts";
import { namespaceOf, portNumber } from "#infra/kubernetes/names.ts";
import type { PodName, RealNode } from "../real-node/real-node.ts";

/** A port of a workload of some site, as pods see it. */
export interface Door {
  readonly site: string;
  readonly workload: string;
  readonly port: string;
  readonly address: string;
}

const serviceSchema = z.object({ spec: z.object({ clusterIP: z.string() }) });
const waitMs = 2_000;

/** Every port of every workload of a site. */
export async function doorsOf(node: RealNode, { site, workloads }: Stack): Promise<readonly Door[]> {
  const doors = workloads.map(async ({ name, ports }) => {
    const asked = ["get", "service", name, `--namespace=${namespaceOf(site)}`, "--output=json"];
    const { spec } = serviceSchema.parse(JSON.parse(await node.kubectl(asked)));
    return ports.map((port) => ({
      site,
      workload: name,
      port: port.name,
      address: `${spec.clusterIP}:${portNumber(port.name)}`,
    }));
  });
  return (await Promise.all(doors)).flat();
}

export const titleOfDoor = ({ site, workload, port }: Omit<Door, "address">): string =>
  `${site}/${workload}:${port}`;

/** Titles of the doors that open to a container with Node, in their order. */
export async function openDoors(
  node: RealNode,
  { namespace, name }: PodName,
  container: string,
  doors: readonly Door[],
): Promise<readonly string[]> {
  const program = `
    const { connect } = require("node:net");
    const doors = ${JSON.stringify(doors.map(({ address }) => address.split(":")))};
    const isOpen = ([host, port]) => new Promise((resolve) => {
      const socket = connect({ host, port: Number(port) });
      const end = (open) => { socket.destroy(); resolve(open); };
      socket.setTimeout(${waitMs}, () => end(false)).on("connect", () => end(true)).on("error", () => end(false));
    });
    Promise.all(doors.map(isOpen)).then((open) => console.log(JSON.stringify(open)));
  `;
  const where = ["exec", `--namespace=${namespace}`, `--container=${container}`, name, "--"];
  const output = await node.kubectl([...where, "/usr/local/bin/node", "--eval", program]);
  const open = z.array(z.boolean()).parse(JSON.parse(output));
  return doors.filter((_, index) => open[index]).map((door) => titleOfDoor(door));
}
