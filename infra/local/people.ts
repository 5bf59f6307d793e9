import { capitalSite } from "../blueprint/stack.ts";

/** A person of the local run's sample data; any number can be made, since the identity is local. */
export interface LocalPerson {
  readonly id: string;
  readonly role:
    "operator" | "analyst" | "regional-prosecutor" | "central-prosecutor" | "platform-engineer" | "carrier";
  /** A region's slug, or `capital`. */
  readonly region: string;
  /** Whose trunks a carrier's person speaks for. */
  readonly carrier?: string;
  readonly name: string;
}

const sampleCarrier = "kazakhtelecom";

/** An operator of a region, by number from 1; more of them than the sample has may be made. */
export function operator(region: string, number: number): LocalPerson {
  return { id: `operator-${number}.${region}`, role: "operator", region, name: `Operator ${number}` };
}

/** The sample people of a region. */
export function regionPeople(region: string): readonly LocalPerson[] {
  const prosecutor = (number: number): LocalPerson => ({
    id: `prosecutor-${number}.${region}`,
    role: "regional-prosecutor",
    region,
    name: `Prosecutor ${number}`,
  });
  return [
    operator(region, 1),
    operator(region, 2),
    { id: `analyst-1.${region}`, role: "analyst", region, name: "Analyst 1" },
    prosecutor(1),
    prosecutor(2),
    { id: `carrier-1.${region}`, role: "carrier", region, carrier: sampleCarrier, name: "Carrier 1" },
  ];
}

/** The sample people of the capital. */
export const capitalPeople: readonly LocalPerson[] = [
  ...[1, 2].map((number): LocalPerson => ({
    id: `central-prosecutor-${number}`,
    role: "central-prosecutor",
    region: capitalSite,
    name: `Central prosecutor ${number}`,
  })),
  { id: "engineer-1", role: "platform-engineer", region: capitalSite, name: "Engineer 1" },
];
