import type { Command } from "commander";

/** What a file of this folder exports: it adds options, examples and action to its command. */
export interface CommandModule {
  define(command: Command): void;
}

/** A command by name and summary; its file is loaded when it is meant. A group has children instead. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load?: () => Promise<CommandModule>;
  readonly children?: readonly CommandEntry[];
  /** Of a group: what its name alone means. */
  readonly isDefault?: boolean;
}

/** Every command, in the order of the help. */
export const commands: readonly CommandEntry[] = [
  {
    name: "start",
    summary: "run the capital and some regions on this machine until Ctrl-C",
    load: () => import("./start.ts"),
  },
  {
    name: "status",
    summary: "which regions are in sync, which services run",
    load: () => import("./status.ts"),
  },
  {
    name: "directive",
    summary: "standing orders about numbers, ranges and trunks",
    children: [
      {
        name: "issue",
        summary: "decide what happens to calls of a target",
        load: () => import("./directive/issue.ts"),
      },
      {
        name: "show",
        summary: "its story, and since when each region enforces it",
        load: () => import("./directive/show.ts"),
      },
      {
        name: "list",
        summary: "directives of a region or of the nation",
        load: () => import("./directive/list.ts"),
      },
      {
        name: "approve",
        summary: "give what is missing, as another person",
        load: () => import("./directive/approve.ts"),
      },
      {
        name: "reject",
        summary: "refuse it, as another person",
        load: () => import("./directive/reject.ts"),
      },
      { name: "extend", summary: "let it end later", load: () => import("./directive/extend.ts") },
      { name: "revoke", summary: "end it now, in every region", load: () => import("./directive/revoke.ts") },
      { name: "bases", summary: "the catalogue of legal bases", load: () => import("./directive/bases.ts") },
      {
        name: "reasons",
        summary: "the catalogue of reason codes",
        load: () => import("./directive/reasons.ts"),
      },
    ],
  },
  {
    name: "import",
    summary: "reported numbers from a file, as one batch",
    load: () => import("./import.ts"),
  },
  {
    name: "traffic",
    summary: "calls as on an ordinary day, asked about as switches do",
    load: () => import("./traffic.ts"),
  },
  {
    name: "screen",
    summary: "ask what a switch would be told about a call (a trial, not counted)",
    load: () => import("./screen.ts"),
  },
  {
    name: "statistics",
    summary: "calls answered, intercepted and forged",
    load: () => import("./statistics.ts"),
  },
  {
    name: "trunk",
    summary: "where calls come in, and how far we may act there",
    children: [
      { name: "list", summary: "trunks with their modes", load: () => import("./trunk/list.ts") },
      { name: "mode", summary: "shadow, mark or enforce (carrier)", load: () => import("./trunk/mode.ts") },
    ],
  },
  { name: "stop", summary: "put everything into shadow, at once", load: () => import("./stop.ts") },
  { name: "resume", summary: "enforce again after a stop", load: () => import("./resume.ts") },
  {
    name: "protect",
    summary: "numbers that originate from their own trunks alone (banks, state bodies)",
    children: [
      {
        name: "add",
        summary: "protect a number (central prosecutor)",
        load: () => import("./protect/add.ts"),
      },
      { name: "list", summary: "protected numbers", load: () => import("./protect/list.ts") },
      {
        name: "remove",
        summary: "end a protection (central prosecutor)",
        load: () => import("./protect/remove.ts"),
      },
    ],
  },
  {
    name: "intelligence",
    summary: "facts about fraudsters, for an audience",
    children: [
      { name: "add", summary: "write a piece down", load: () => import("./intelligence/add.ts") },
      {
        name: "list",
        summary: "pieces that a region can read",
        load: () => import("./intelligence/list.ts"),
      },
      { name: "show", summary: "one piece", load: () => import("./intelligence/show.ts") },
      {
        name: "withdraw",
        summary: "withdraw a piece everywhere",
        load: () => import("./intelligence/withdraw.ts"),
      },
    ],
  },
  {
    name: "evidence",
    summary: "proof of a directive, for people without our services",
    children: [
      {
        name: "export",
        summary: "everything about a directive with its proofs, as one file",
        load: () => import("./evidence/export.ts"),
      },
      {
        name: "verify",
        summary: "what such a file proves and what not; without network",
        load: () => import("./evidence/verify.ts"),
      },
      {
        name: "keys",
        summary: "the public keys that a file is verified by",
        load: () => import("./evidence/keys.ts"),
      },
    ],
  },
  { name: "login", summary: "act as one person from now on", load: () => import("./login.ts") },
  { name: "logout", summary: "act as nobody in particular again", load: () => import("./logout.ts") },
  { name: "whoami", summary: "as whom commands act", load: () => import("./whoami.ts") },
  {
    name: "local",
    summary: "faults of the local run, to see what holds",
    children: [
      { name: "cut", summary: "cut a region's line to the capital", load: () => import("./local/cut.ts") },
      {
        name: "slow",
        summary: "give a region's line latency and little bandwidth",
        load: () => import("./local/slow.ts"),
      },
      {
        name: "half-open",
        summary: "let a region's line carry no byte, while its connections stay",
        load: () => import("./local/half-open.ts"),
      },
      {
        name: "heal",
        summary: "mend everything that was done to a site",
        load: () => import("./local/heal.ts"),
      },
      {
        name: "kill",
        summary: "kill -9 a process; it is started again",
        load: () => import("./local/kill.ts"),
      },
      { name: "pause", summary: "stop a process without ending it", load: () => import("./local/pause.ts") },
      { name: "resume", summary: "let a paused process go on", load: () => import("./local/resume.ts") },
      {
        name: "fill",
        summary: "leave no byte on the disk of a process (as root)",
        load: () => import("./local/fill.ts"),
      },
      { name: "snapshot", summary: "copy stores as they are now", load: () => import("./local/snapshot.ts") },
      {
        name: "restore",
        summary: "put copies of stores back, as an old backup would be",
        load: () => import("./local/restore.ts"),
      },
      {
        name: "chaos",
        summary: "faults under load, and whether anything was lost, doubled or diverged",
        load: () => import("./local/chaos.ts"),
      },
      {
        name: "skew",
        summary: "make a site's clock wrong (with libfaketime)",
        load: () => import("./local/skew.ts"),
      },
    ],
  },
  {
    name: "backup",
    summary: "a copy of what people wrote, while it works",
    load: () => import("./backup.ts"),
  },
  {
    name: "restore",
    summary: "put a site's database back, to any archived moment",
    load: () => import("./restore.ts"),
  },
  {
    name: "rebuild",
    summary: "a site whose disks are gone, from its backups and the other end of the line",
    children: [
      {
        name: "region",
        summary: "everything that a region keeps",
        load: () => import("./rebuild/region.ts"),
      },
      {
        name: "capital",
        summary: "everything that the capital keeps",
        load: () => import("./rebuild/capital.ts"),
      },
    ],
  },
  {
    name: "region",
    summary: "the regions of the nation, and the keys of their lines",
    children: [
      {
        name: "add",
        summary: "a new region: its file, its keys, what to do next",
        load: () => import("./region/add.ts"),
      },
      {
        name: "list",
        summary: "all regions, with wave, size, cluster and keys",
        load: () => import("./region/list.ts"),
      },
      {
        name: "retire",
        summary: "take a region out of the nation",
        load: () => import("./region/retire.ts"),
      },
      {
        name: "revoke",
        summary: "end a region's line at once: its key opens nothing any more",
        load: () => import("./region/revoke.ts"),
      },
      {
        name: "rotate",
        summary: "give a region's line another key at once, also after a revoke",
        load: () => import("./region/rotate.ts"),
      },
    ],
  },
  {
    name: "keys",
    summary: "keys of the capital and of regions on clusters: made, rotated, kept encrypted",
    children: [
      {
        name: "identity",
        summary: "make an identity that opens the keys",
        load: () => import("./keys/identity.ts"),
      },
      {
        name: "make",
        summary: "make what is missing of a site's keys",
        load: () => import("./keys/make.ts"),
      },
      {
        name: "rotate",
        summary: "make a site's keys anew, in two steps",
        load: () => import("./keys/rotate.ts"),
      },
      {
        name: "show",
        summary: "what is public of a site's keys",
        load: () => import("./keys/show.ts"),
      },
    ],
  },
  {
    name: "image",
    summary: "the images of a release, their bills of materials, and the release file",
    load: () => import("./image.ts"),
  },
  {
    name: "bundle",
    summary: "everything that a site without internet needs, signed",
    children: [
      { name: "make", summary: "write a bundle", isDefault: true, load: () => import("./bundle/make.ts") },
      {
        name: "verify",
        summary: "check a bundle before it is used",
        load: () => import("./bundle/verify.ts"),
      },
      { name: "key", summary: "make a pair of keys for bundles", load: () => import("./bundle/key.ts") },
    ],
  },
  {
    name: "parity",
    summary: "whether all regions' stacks are the same",
    load: () => import("./parity.ts"),
  },
  {
    name: "render",
    summary: "a site's Kubernetes manifests as plain YAML",
    load: () => import("./render.ts"),
  },
  { name: "complete", summary: "completion for bash, zsh or fish", load: () => import("./complete.ts") },
];
