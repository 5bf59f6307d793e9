import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { clusterOf, clusterSchema, hostName } from "../blueprint/cluster.ts";
import { readYaml, type Fault } from "../blueprint/document.ts";
import { sizeClass } from "../blueprint/regions.ts";
import { capitalSite } from "../blueprint/stack.ts";
import { Problem } from "../problem.ts";
import { archiveSchema } from "./archive.ts";

const capitalSchema = z
  .strictObject({
    /** How much the workloads get; never what they are. */
    sizeClass,
    /** Host name or address under which the regions' lines reach the hub; the hub's certificate has it. */
    leafHost: z.union(
      [hostName, z.ipv4()],
      "must be a host name or an address, for example hub.qalqan.example",
    ),
    leafPort: z.int().min(1, "must be a port: 1 to 65535").max(65_535, "must be a port: 1 to 65535"),
    /** Where sealed segments are kept; nowhere when absent. */
    archive: archiveSchema.optional(),
    /** Where it runs. */
    cluster: clusterSchema,
  })
  .transform((capital) => ({ ...capital, cluster: clusterOf(capitalSite, capital.cluster) }));

/** Where and how large the capital is, as `infra/capital.yaml` or the deployment's own file says. */
export type Capital = Readonly<z.output<typeof capitalSchema>>;

const projectFile = join(import.meta.dirname, "..", "capital.yaml");

/**
 * @param folder of the deployment, whose `capital.yaml` is read instead of the project's
 * @throws Problem `capital-invalid`
 */
export function readCapital(folder: string): Capital {
  const own = join(folder, "capital.yaml");
  const file = existsSync(own) ? own : projectFile;
  return readYaml(readFileSync(file, "utf8"), capitalSchema, (fault) => invalid(file, fault));
}

function invalid(file: string, { field, value, remedy }: Fault): Problem {
  const message = `${file}: ${field === "" ? "the file" : field} is ${value}`;
  return new Problem({ code: "capital-invalid", field, value, message, remedy });
}
