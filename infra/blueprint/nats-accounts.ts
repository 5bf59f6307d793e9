import {
  epochsListed,
  firstEpoch,
  hubAsk,
  hubStream,
  hubSubject,
  lanes,
  regionStream,
  systemSubject,
  type Lane,
} from "#proto/names.ts";
import { secretName } from "./parts.ts";
import type { Stack } from "./stack.ts";

/** Subjects that a user may publish to and subscribe to; what is not allowed is refused. */
export interface Permissions {
  readonly publish: { readonly allow: readonly string[]; readonly deny?: readonly string[] };
  readonly subscribe: { readonly allow: readonly string[] };
}

export interface NatsUser {
  readonly name: string;
  /** The nkey whose holder this is. */
  readonly secret: string;
  readonly permissions: Permissions;
}

/** Something of the capital that named regions may use. */
export interface Export {
  readonly kind: "stream" | "service";
  readonly subject: string;
  /** A service that answers with many messages (batched direct get). */
  readonly manyAnswers?: boolean;
  readonly regions: readonly string[];
}

/** How a region's account at the hub names something of the capital. */
export interface Import {
  readonly kind: "stream" | "service";
  readonly subject: string;
  readonly as?: string;
}

/** Epoch of the capital's streams, and of each region's; both begin at 1. */
export interface Epochs {
  readonly capital: number;
  readonly region: (slug: string) => number;
}

export const firstEpochs: Epochs = { capital: firstEpoch, region: () => firstEpoch };

/** The capital's current epoch and the next, so that a fork needs no reload (nats.md). */
const epochsFrom = (current: number): readonly number[] => [current, current + 1];

/** A region opens its epochs by itself, whenever a store comes back from a backup. */
const regionEpochsFrom = (current: number): readonly number[] =>
  Array.from({ length: epochsListed }, (_, index) => current + index);

const inbox = "_INBOX.>";

/** What reading a stream takes: information, single messages, batches, and consumers of one's own. */
const readStreams: readonly string[] = [
  "$JS.API.INFO",
  "$JS.API.STREAM.INFO.*",
  "$JS.API.STREAM.NAMES",
  "$JS.API.STREAM.MSG.GET.*",
  "$JS.API.DIRECT.GET.>",
  "$JS.API.CONSUMER.CREATE.>",
  "$JS.API.CONSUMER.INFO.>",
  "$JS.API.CONSUMER.DELETE.>",
  "$JS.API.CONSUMER.MSG.NEXT.>",
  "$JS.ACK.>",
  "$JS.FC.>",
];

/** The subjects of one producer in both lanes, in any epoch: nobody writes under another's name. */
const ownLanes = (producer: string): readonly string[] => lanes.map((lane) => `${lane}.*.${producer}.>`);
const ownLocal = (producer: string): string => `local.${producer}.>`;
const lanesAndCopies: readonly string[] = ["events.>", "urgent.>", "national.>", "for.>", "snapshot.>"];

/** Reading `LOCAL`, which names victims: whatever gives more than the last message of a named subject. */
const readLocal: readonly string[] = [
  `$JS.API.STREAM.MSG.GET.${regionStream.local}`,
  `$JS.API.DIRECT.GET.${regionStream.local}`,
  `$JS.API.CONSUMER.CREATE.${regionStream.local}`,
  `$JS.API.CONSUMER.CREATE.${regionStream.local}.>`,
  `$JS.API.CONSUMER.MSG.NEXT.${regionStream.local}.>`,
];

/**
 * The users of a region's own account. Replication alone crosses the line and
 * changes streams, and cannot read `LOCAL`; the others write their own
 * producer's subjects only.
 */
export function regionUsers(stack: Stack, epochs: Epochs = firstEpochs): readonly NatsUser[] {
  const screening = stack.workloads.find(({ name }) => name === "screening");
  const replicas = Array.from(
    { length: screening?.replicas.most ?? 0 },
    (_, ordinal) => `screening-${ordinal}`,
  );
  return [
    {
      name: "screening",
      secret: secretName.natsUser("screening"),
      permissions: {
        publish: {
          allow: [
            ...replicas.flatMap((replica) => [...ownLanes(replica), ownLocal(replica)]),
            ...readStreams,
          ],
          // It looks for the last message of its own, and needs nobody's calls of thirty days.
          deny: readLocal,
        },
        subscribe: { allow: [inbox, ...lanesAndCopies, hubSubject.liveNationalAll] },
      },
    },
    {
      name: "centre",
      secret: secretName.natsUser("centre"),
      permissions: {
        publish: {
          allow: [
            ...ownLanes("centre"),
            // Its alarms, which are in no outbox.
            ...ownLanes("centre-alarms"),
            ownLocal("centre"),
            ...readStreams,
          ],
        },
        subscribe: {
          allow: [
            inbox,
            ...lanesAndCopies,
            "local.>",
            hubSubject.liveNationalAll,
            hubSubject.liveForAll(stack.site),
          ],
        },
      },
    },
    replicationUser(stack.site, epochs),
  ];
}

/**
 * Replication makes the streams by name, and changes none afterwards: a stream
 * of another name, or one whose sources are changed, could take `LOCAL` in and
 * carry it across the line (tried). It deletes what the capital can give again,
 * and lanes of epochs that have ended. It writes under every producer's name:
 * what the hub still has of a lane that lost its end, and what is fed again
 * into a new epoch.
 */
function replicationUser(region: string, epochs: Epochs): NatsUser {
  const own = regionEpochsFrom(epochs.region(region)).flatMap((epoch) =>
    lanes.map((lane) => regionStream.lane(lane, epoch)),
  );
  const copies = epochsFrom(epochs.capital).flatMap((epoch) => [
    regionStream.national(epoch),
    regionStream.forRegion(epoch),
    regionStream.snapshot(epoch),
  ]);
  return {
    name: "replication",
    secret: secretName.natsUser("replication"),
    permissions: {
      publish: {
        allow: [
          ...lanes.map((lane) => `${lane}.>`),
          "national.>",
          "for.>",
          "snapshot.>",
          ...readStreams,
          ...[regionStream.local, ...own, ...copies].map((stream) => `$JS.API.STREAM.CREATE.${stream}`),
          "$JS.API.STREAM.PURGE.*",
          ...[...own, ...copies].map((stream) => `$JS.API.STREAM.DELETE.${stream}`),
        ],
        // It makes LOCAL, then neither reads it nor shortens it: LOCAL is trimmed by age alone.
        deny: [
          `$JS.API.STREAM.PURGE.${regionStream.local}`,
          ...readLocal,
          `$JS.API.DIRECT.GET.${regionStream.local}.>`,
        ],
      },
      subscribe: { allow: [inbox, ...lanesAndCopies] },
    },
  };
}

/**
 * The one user of a region's account `LINE`, in which the leaf node to the hub
 * ends. The other services' account has no way into it: a permission on
 * subjects alone would not hold, since a server publishes its answers to any
 * reply subject that a request names, `up.…` included (tried).
 */
export function lineUser(region: string): NatsUser {
  return {
    name: "line",
    secret: secretName.natsUser("line"),
    permissions: {
      publish: { allow: [...upSubjects(region), "hub.get.>", "hub.info.>"] },
      subscribe: { allow: [inbox, hubSubject.liveNationalAll, hubSubject.liveForAll(region)] },
    },
  };
}

/** What `LINE` passes on to the region's services: what the hub says to all who listen, and nothing back. */
export function lineStreams(region: string): readonly string[] {
  return [hubSubject.liveNationalAll, hubSubject.liveForAll(region)];
}

const upSubjects = (region: string): readonly string[] =>
  lanes.map((lane) => hubSubject.upAnyEpoch(lane, region));

/** What the hub tells the capital of connections that it has ended or not let in: coordination's audit keeps it. */
export const systemStreams: readonly string[] = [systemSubject.disconnected, systemSubject.notLetIn];

/** The capital's own user: it changes the hub's streams, and cannot write as a region. */
export const coordinationUser: NatsUser = {
  name: "coordination",
  secret: secretName.natsUser("coordination"),
  permissions: {
    publish: {
      allow: [
        "national.>",
        "for.>",
        "snapshot.>",
        hubSubject.heartbeat,
        "$JS.API.>",
        "$JS.ACK.>",
        "$JS.FC.>",
      ],
    },
    subscribe: {
      allow: [inbox, "up.>", "upu.>", "national.>", "for.>", "snapshot.>", "live.>", ...systemStreams],
    },
  },
};

/** Drops a connection whose key was revoked: a reload alone leaves it connected (nats.md, "Measured"). */
export const systemUser: NatsUser = {
  name: "system",
  secret: secretName.system,
  permissions: { publish: { allow: ["$SYS.REQ.SERVER.>"] }, subscribe: { allow: [inbox] } },
};

/** What a region's leaf node may send to and hear from the hub. */
export function leafPermissions(region: string): Permissions {
  return {
    publish: { allow: [...upSubjects(region), "hub.info.>", "hub.get.>"] },
    subscribe: { allow: [hubSubject.liveNationalAll, hubSubject.liveForAll(region), inbox, "_R_.>"] },
  };
}

/** What never leaves a region by the line, whatever a key of the region may publish. */
export const deniedExports: readonly string[] = [
  "local.>",
  "events.>",
  "urgent.>",
  "national.>",
  "for.>",
  "snapshot.>",
];

interface Asked {
  readonly stream: string;
  readonly get: string;
  readonly info: string;
}

const direct = (stream: string): string => `$JS.API.DIRECT.GET.${stream}`;
const information = (stream: string): string => `$JS.API.STREAM.INFO.${stream}`;

/** Streams of the capital that every region reads, and how it asks for them. */
function nationalAsked(epochs: Epochs): readonly Asked[] {
  return epochsFrom(epochs.capital).flatMap((epoch) => [
    { stream: hubStream.national(epoch), get: hubAsk.getNational(epoch), info: hubAsk.infoNational(epoch) },
    { stream: hubStream.snapshot(epoch), get: hubAsk.getSnapshot(epoch), info: hubAsk.infoSnapshot(epoch) },
  ]);
}

/** Streams of the capital that one region alone reads. */
function regionAsked(region: string, epochs: Epochs): readonly Asked[] {
  const lane = (name: Lane, epoch: number): Asked => ({
    stream: hubStream.up(name, region, epoch),
    get: hubAsk.getUp(name, epoch),
    info: hubAsk.infoUp(name, epoch),
  });
  return [
    ...epochsFrom(epochs.capital).map((epoch) => ({
      stream: hubStream.forRegion(region, epoch),
      get: hubAsk.getFor(epoch),
      info: hubAsk.infoFor(epoch),
    })),
    ...regionEpochsFrom(epochs.region(region)).flatMap((epoch) => lanes.map((name) => lane(name, epoch))),
  ];
}

function askedExports(asked: readonly Asked[], regions: readonly string[]): readonly Export[] {
  return asked.flatMap(({ stream }): Export[] => [
    { kind: "service", subject: direct(stream), manyAnswers: true, regions },
    { kind: "service", subject: information(stream), regions },
  ]);
}

/** Everything the capital's account gives to the regions' accounts, and to which. */
export function capitalExports(regions: readonly string[], epochs: Epochs): readonly Export[] {
  if (regions.length === 0) return [];
  return [
    { kind: "stream", subject: hubSubject.liveNationalAll, regions },
    ...askedExports(nationalAsked(epochs), regions),
    ...regions.flatMap((region): Export[] => [
      { kind: "stream", subject: hubSubject.liveForAll(region), regions: [region] },
      ...upSubjects(region).map((subject): Export => ({ kind: "service", subject, regions: [region] })),
      ...askedExports(regionAsked(region, epochs), [region]),
    ]),
  ];
}

/** What a region's account at the hub takes from the capital's, under names that are the same in every region. */
export function regionImports(region: string, epochs: Epochs): readonly Import[] {
  return [
    { kind: "stream", subject: hubSubject.liveNationalAll },
    { kind: "stream", subject: hubSubject.liveForAll(region) },
    ...upSubjects(region).map((subject): Import => ({ kind: "service", subject })),
    ...[...nationalAsked(epochs), ...regionAsked(region, epochs)].flatMap(
      ({ stream, get, info }): Import[] => [
        { kind: "service", subject: direct(stream), as: get },
        { kind: "service", subject: information(stream), as: info },
      ],
    ),
  ];
}
