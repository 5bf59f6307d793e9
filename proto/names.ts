/**
 * Names of streams and subjects, spelled once (architecture: "Streams").
 *
 * Every stream that is copied across the line carries an epoch: a fork begins
 * the next one, under a new name. A region's epoch counts its `EVENTS` and
 * `URGENT`, the capital's epoch counts `NATIONAL`, `FOR` and `SNAPSHOT`.
 */

/** The two lanes in which a region speaks: `events` for bulk, `urgent` overtakes it. */
export type Lane = "events" | "urgent";
export const lanes: readonly Lane[] = ["urgent", "events"];

/** The first epoch of any stream. */
export const firstEpoch = 1;

/** So many epochs of a region the hub's accounts name, eight lines each; a later one needs accounts of a later release. */
export const epochsListed = 32;

/** So many of a region's newest epochs have their whole room at the hub: the next, the one it is in, and two before. */
export const wholeEpochs = 4;

/** The token, in place of a producer's, under which a message stands that was fed again into a new epoch. */
export const refeedToken = "refeed";

/** Stream names in a region's own JetStream. */
export const regionStream = {
  local: "LOCAL",
  lane: (lane: Lane, epoch: number) => `${lane === "events" ? "EVENTS" : "URGENT"}_${epoch}`,
  national: (epoch: number) => `NATIONAL_${epoch}`,
  forRegion: (epoch: number) => `FOR_${epoch}`,
  snapshot: (epoch: number) => `SNAPSHOT_${epoch}`,
} as const;

/** Subjects in a region's own JetStream; `type` is the name of the event's body. */
export const regionSubject = {
  local: (producer: string, type: string) => `local.${producer}.${type}`,
  lane: (lane: Lane, epoch: number, producer: string, type: string) => `${lane}.${epoch}.${producer}.${type}`,
  laneOfProducer: (lane: Lane, epoch: number, producer: string) => `${lane}.${epoch}.${producer}.>`,
  laneAll: (lane: Lane, epoch: number) => `${lane}.${epoch}.>`,
  /** @param rest subject after lane and epoch: `producer.type`, or `refeed.producer.type` */
  inLane: (lane: Lane, epoch: number, rest: string) => `${lane}.${epoch}.${rest}`,
  refeedAll: (lane: Lane, epoch: number) => `${lane}.${epoch}.${refeedToken}.>`,
  national: (epoch: number) => `national.${epoch}.batch`,
  nationalAll: (epoch: number) => `national.${epoch}.>`,
  forRegion: (epoch: number) => `for.${epoch}.batch`,
  forRegionAll: (epoch: number) => `for.${epoch}.>`,
  snapshotAll: (epoch: number) => `snapshot.${epoch}.>`,
  snapshotChunk: (epoch: number) => `snapshot.${epoch}.chunk`,
  snapshotManifest: (epoch: number) => `snapshot.${epoch}.manifest`,
} as const;

const upToken = (lane: Lane) => (lane === "events" ? "up" : "upu");

/** Stream names in the hub's JetStream (domain `capital`). */
export const hubStream = {
  up: (lane: Lane, region: string, epoch: number) => `${lane === "events" ? "UP" : "UPU"}_${region}_${epoch}`,
  national: (epoch: number) => `NATIONAL_${epoch}`,
  forRegion: (region: string, epoch: number) => `FOR_${region}_${epoch}`,
  snapshot: (epoch: number) => `SNAPSHOT_${epoch}`,
} as const;

/** Subjects at the hub; `live.…` is what the hub republishes to the regions. */
export const hubSubject = {
  up: (lane: Lane, region: string, epoch: number, rest: string) =>
    `${upToken(lane)}.${region}.${epoch}.${rest}`,
  upAll: (lane: Lane, region: string, epoch: number) => `${upToken(lane)}.${region}.${epoch}.>`,
  /** What a region's account imports for a lane, any epoch. */
  upAnyEpoch: (lane: Lane, region: string) => `${upToken(lane)}.${region}.>`,
  /** Receipts of every region, in any epoch: `up.<region>.<epoch>.<producer>.receipt`. */
  upReceipts: "up.*.*.*.receipt",
  national: (epoch: number) => `national.${epoch}.batch`,
  nationalAll: (epoch: number) => `national.${epoch}.>`,
  forRegion: (region: string, epoch: number) => `for.${region}.${epoch}.batch`,
  forRegionAll: (region: string, epoch: number) => `for.${region}.${epoch}.>`,
  snapshotAll: (epoch: number) => `snapshot.${epoch}.>`,
  snapshotChunk: (epoch: number) => `snapshot.${epoch}.chunk`,
  snapshotManifest: (epoch: number) => `snapshot.${epoch}.manifest`,
  live: (subject: string) => `live.${subject}`,
  liveNationalAll: "live.national.>",
  liveForAll: (region: string) => `live.for.${region}.>`,
  heartbeat: "live.national.heartbeat",
} as const;

/** What a stream of the server that we are connected to is asked. */
export const streamAsk = {
  get: (stream: string) => `$JS.API.DIRECT.GET.${stream}`,
  info: (stream: string) => `$JS.API.STREAM.INFO.${stream}`,
} as const;

/**
 * What a region asks the hub, under the same names in every region: the hub's
 * account of the region maps them to `$JS.API.…` of the capital.
 */
export const hubAsk = {
  getNational: (epoch: number) => `hub.get.national.${epoch}`,
  infoNational: (epoch: number) => `hub.info.national.${epoch}`,
  getFor: (epoch: number) => `hub.get.for.${epoch}`,
  infoFor: (epoch: number) => `hub.info.for.${epoch}`,
  getSnapshot: (epoch: number) => `hub.get.snapshot.${epoch}`,
  infoSnapshot: (epoch: number) => `hub.info.snapshot.${epoch}`,
  getUp: (lane: Lane, epoch: number) => `hub.get.${upToken(lane)}.${epoch}`,
  infoUp: (lane: Lane, epoch: number) => `hub.info.${upToken(lane)}.${epoch}`,
} as const;

/** A region's account at the hub: its line ends in it. */
export const regionAccount = {
  of: (region: string) => `REGION-${region}`,
  /** Undefined: the account is no region's. */
  regionOf: (account: string) => /^REGION-(.+)$/.exec(account)?.[1],
} as const;

/** What a server of the hub answers to its own account, about itself and its connections, and what it tells. */
export const systemSubject = {
  /** A connection of an account has ended, and why; leaf nodes are among them. */
  disconnected: "$SYS.ACCOUNT.*.DISCONNECT",
  /** Somebody was not let in. */
  notLetIn: "$SYS.SERVER.*.CLIENT.AUTH.ERR",
  reload: (server: string) => `$SYS.REQ.SERVER.${server}.RELOAD`,
  connections: (server: string) => `$SYS.REQ.SERVER.${server}.CONNZ`,
  kick: (server: string) => `$SYS.REQ.SERVER.${server}.KICK`,
} as const;

/** Header of NATS compare-and-append over a whole stream. */
export const expectedLastSequence = "Nats-Expected-Last-Sequence";
