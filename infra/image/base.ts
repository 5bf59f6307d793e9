import { directory, text, type Entry } from "./entries.ts";

/** The user of the project's own containers and of NATS; no other program of a usual node has its number. */
export const serviceUser = 10_001;
/** The user of PostgreSQL in its upstream image; the companion beside it runs as this one too. */
export const postgresUser = 999;

export const path = "/usr/local/bin:/usr/bin:/bin";

const accounts: readonly (readonly [name: string, id: number, home: string])[] = [
  ["root", 0, "/"],
  ["postgres", postgresUser, "/var/lib/postgresql"],
  ["qalqan", serviceUser, "/app"],
  ["nobody", 65_534, "/"],
];

const stickyForAll = 0o1777;

/** What every image has beside its program: names of users, how names of hosts are found, a place for what is temporary. */
export function baseEntries(): Entry[] {
  const lines = (each: (name: string, id: number, home: string) => string) =>
    accounts.map(([name, id, home]) => `${each(name, id, home)}\n`).join("");
  return [
    text(
      "etc/passwd",
      lines((name, id, home) => `${name}:x:${id}:${id}::${home}:/sbin/nologin`),
    ),
    text(
      "etc/group",
      lines((name, id) => `${name}:x:${id}:`),
    ),
    text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    directory("tmp", stickyForAll),
  ];
}
