import { operator, regionPeople, capitalPeople, type LocalPerson } from "#infra/local/people.ts";
import { capital, type Role } from "#domain/vocabulary.ts";
import { CommandFailed } from "./failure.ts";

/** A sample person: the number-th (from 1) of a role; central roles have no region. */
export interface Who {
  readonly role: Role;
  readonly region: string;
  readonly number: number;
}

const centralRoles: readonly Role[] = ["central-prosecutor", "platform-engineer"];

/** The first of a role in a region; central roles live in the capital, whatever region is given. */
export function first(role: Role, region: string): Who {
  return { role, region: centralRoles.includes(role) ? capital : region, number: 1 };
}

/** The next one of the same role: somebody who is not the author. */
export function unlike(author: string, who: Who): Who {
  return sampleId(who) === author ? { ...who, number: who.number + 1 } : who;
}

/**
 * The sample person whose id this is, as far as it can be read from the id.
 *
 * @param id `operator-3.astana`, `central-prosecutor-1`
 */
export function whoIs(id: string): Who | undefined {
  const [, word = "", number = "", , region = capital] = /^([a-z-]+)-(\d+)(\.(.+))?$/.exec(id) ?? [];
  const role = roleOfWord[word];
  return role === undefined ? undefined : { role, region, number: Number(number) };
}

/** What the identity of the local run puts into a token. */
export function localPerson(who: Who): LocalPerson {
  if (who.role === "operator") return operator(who.region, who.number);
  const sample = who.region === capital ? capitalPeople : regionPeople(who.region);
  const model = sample.find(({ role }) => role === who.role);
  if (model === undefined) {
    throw new CommandFailed({
      code: "no-such-person",
      field: "role",
      value: who.role,
      message: `there is no ${who.role} in ${who.region}`,
      remedy: `central roles (${centralRoles.join(", ")}) are in the capital, all others in a region`,
    });
  }
  const numbered = (text: string) => text.replace(/(?<=[- ])1(?=$|\.)/, String(who.number));
  return { ...model, id: numbered(model.id), name: numbered(model.name) };
}

function sampleId(who: Who): string {
  return localPerson(who).id;
}

/** Ids of sample people begin with a shorter word than their role. */
const roleOfWord: Readonly<Record<string, Role>> = {
  operator: "operator",
  analyst: "analyst",
  prosecutor: "regional-prosecutor",
  carrier: "carrier",
  "central-prosecutor": "central-prosecutor",
  engineer: "platform-engineer",
};

/** `astana operator-1`, `central-prosecutor-1`: as the sentence "acting as …" has it. */
export function shownPerson(person: Pick<LocalPerson, "id" | "region">): string {
  const [name = person.id] = person.id.split(".");
  return person.region === capital ? name : `${person.region} ${name}`;
}
