import { sql, type Kysely, type Migration } from "#platform/database.ts";

/**
 * What the capital keeps. Texts that are compared and cut have the collation
 * "C": byte order, the same on every machine, and usable for prefixes.
 */
const directives = [
  // The one row that says where the capital stands; its sequence fences a replaced leader. Decisions up to
  // introduced_sequence were told to their authors' regions, with a row for each region of the nation.
  `create table national_state (
     single boolean primary key default true check (single),
     epoch integer not null,
     sequence bigint not null,
     digest bytea not null,
     introduced_sequence bigint not null,
     expiry_ms bigint not null,
     expiry_directive text collate "C" not null
   )`,
  `insert into national_state (epoch, sequence, digest, introduced_sequence, expiry_ms, expiry_directive)
     values (1, 0, decode(repeat('00', 32), 'hex'), 0, 0, '')`,
  // An event is applied in the transaction that moves its lane's watermark.
  `create table inbox (
     region text not null,
     lane text not null,
     epoch integer not null,
     sequence bigint not null,
     moved_at_ms bigint not null,
     primary key (region, lane, epoch)
   )`,
  `create table opinion (
     directive text collate "C" primary key,
     region text not null,
     revision bigint not null,
     revoked boolean not null,
     scope text not null,
     target text collate "C" not null,
     trunk text collate "C",
     batch text collate "C" not null,
     accepted_at_ms bigint not null,
     expires_at_ms bigint not null,
     body bytea not null
   )`,
  "create index opinion_target on opinion (target)",
  "create index opinion_batch on opinion (batch, directive) where batch <> ''",
  "create index opinion_trunk on opinion (trunk, directive) where trunk is not null",
  "create index opinion_expiry on opinion (expires_at_ms, directive)",
  "create index opinion_accepted on opinion (accepted_at_ms desc, directive)",
  // The decision on each directive that was published last. Members of batches are found by their batch.
  `create table decision (
     directive text collate "C" primary key,
     region text not null,
     revision bigint not null,
     decision text not null,
     reason text not null,
     missing text not null,
     sequence bigint not null,
     at_ms bigint not null,
     single boolean not null
   )`,
  "create index decision_sequence on decision (sequence) where single",
  `create table approval (
     directive text collate "C" not null,
     revision bigint not null,
     batch text collate "C" not null,
     person text not null,
     region text not null,
     kind text not null,
     approved boolean not null,
     body bytea not null,
     primary key (directive, revision, batch, person, region, kind, approved)
   )`,
  "create index approval_batch on approval (batch) where batch <> ''",
  `create table batch (
     batch text collate "C" primary key,
     region text not null,
     last_sequence bigint not null,
     last_directive text collate "C" not null,
     last_revision bigint not null,
     revocation bytea
   )`,
  "create index batch_sequence on batch (last_sequence)",
  `create table trunk (
     trunk text collate "C" not null,
     region text not null,
     revision bigint not null,
     direction text not null,
     primary key (trunk, region)
   )`,
  `create table protected_number (
     number text collate "C" primary key,
     originates_from text[] not null,
     holder text not null,
     revision bigint not null
   )`,
  `create table national_stop (
     single boolean primary key default true check (single),
     stopped boolean not null,
     person text not null,
     at_ms bigint not null,
     revision bigint not null
   )`,
  // What the fold of a target remembers, its entries among it (services/domain/fold.ts, FoldMemory).
  `create table folded (
     target text collate "C" primary key,
     memory json not null
   )`,
  // Targets that must be folded again, as a question and how far it was answered.
  `create table refold_job (
     kind text not null,
     key text collate "C" not null,
     urgent boolean not null,
     cursor text collate "C" not null,
     position bigint generated always as identity,
     primary key (kind, key)
   )`,
] as const;

const logs = [
  // Exactly what is appended to NATIONAL and FOR: a hub that came back older is refilled with the same bytes.
  `create table national_log (
     epoch integer not null,
     sequence bigint not null,
     at_ms bigint not null,
     digest bytea not null,
     bytes bytea not null,
     primary key (epoch, sequence)
   )`,
  "alter table national_log alter column bytes set storage external",
  `create table region_log (
     region text not null,
     epoch integer not null,
     sequence bigint not null,
     bytes bytea not null,
     primary key (region, epoch, sequence)
   )`,
  "alter table region_log alter column bytes set storage external",
  // told_sequence: up to there its enforcement was told to the authors' regions.
  `create table region_state (
     region text primary key,
     for_sequence bigint not null,
     told_sequence bigint not null,
     state text not null,
     since_ms bigint not null
   )`,
  `create table enforced (
     region text not null,
     sequence bigint not null,
     at_ms bigint not null,
     primary key (region, sequence)
   )`,
  `create table replica (
     region text not null,
     replica text not null,
     heard_at_ms bigint not null,
     receipt bytea not null,
     primary key (region, replica)
   )`,
  `create table audit (
     number bigint primary key,
     at_ms bigint not null,
     actor text not null,
     role text not null,
     region text not null,
     what text not null,
     detail text not null,
     previous bytea not null,
     hash bytea not null
   )`,
  `create function audit_is_append_only() returns trigger language plpgsql as
     'begin raise exception ''audit is append-only''; end'`,
  `create trigger audit_append_only before update or delete or truncate on audit
     for each statement execute function audit_is_append_only()`,
] as const;

const facts = [
  `create table intelligence (
     id text collate "C" primary key,
     region text not null,
     revision bigint not null,
     withdrawn boolean not null,
     audience text not null,
     body bytea
   )`,
  // Cumulative counters of one source and minute; the highest flush is kept.
  `create table minute_counts (
     region text not null,
     source text not null,
     minute bigint not null,
     flush bigint not null,
     counts json not null,
     at_ms bigint not null,
     primary key (region, source, minute)
   )`,
  "create index minute_counts_at on minute_counts (at_ms)",
  // Calls heard of in the last 24 hours by the hash of their callKey, as they were counted.
  `create table answered_call (
     key bigint primary key,
     minute bigint not null,
     verdict text not null,
     reason text not null,
     attributed_to text not null,
     first_of_pair boolean not null,
     fallback boolean not null,
     at_ms bigint not null
   )`,
  "create index answered_call_at on answered_call (at_ms)",
  // start: minutes since 1970, of the beginning of the minute, hour, day, month or year.
  `create table call_rollup (
     grain text not null,
     start bigint not null,
     region text not null,
     verdict text not null,
     calls bigint not null,
     intercepted bigint not null,
     forged bigint not null,
     fallback bigint not null,
     primary key (grain, start, region, verdict)
   )`,
  `create table question_rollup (
     grain text not null,
     start bigint not null,
     region text not null,
     questions bigint not null,
     shadow_stopped bigint not null,
     primary key (grain, start, region)
   )`,
] as const;

const seals = [
  `create table national_seal (
     epoch integer not null,
     first bigint not null,
     last bigint not null,
     sequence bigint not null,
     body bytea not null,
     primary key (epoch, last)
   )`,
  // How far the seals of each lane are verified: message, last message covered, hash of the seal, its key.
  `create table verified_lane (
     region text not null,
     lane text not null,
     epoch integer not null,
     sequence bigint not null,
     last bigint not null,
     hash bytea not null,
     key_id text not null,
     primary key (region, lane, epoch)
   )`,
] as const;

const laneMarks = [
  // What stood in the lane at the watermark: a hub that came back older may hold something else there.
  "alter table inbox add column leaf bytea",
  // And at earlier messages: where the two are still the same.
  `create table lane_mark (
     region text not null,
     lane text not null,
     epoch integer not null,
     sequence bigint not null,
     leaf bytea not null,
     primary key (region, lane, epoch, sequence)
   )`,
  // After the database came back older a lane is read again up to here before anything is folded.
  "alter table inbox add column read_to bigint not null default 0",
] as const;

const execute = (statements: readonly string[]): Migration => ({
  async up(database: Kysely<never>) {
    for (const statement of statements) await sql.raw(statement).execute(database);
  },
});

/** By name, in the order in which they run; a migration is never changed once it was released. */
export const migrations: Readonly<Record<string, Migration>> = {
  "001-directives": execute(directives),
  "002-logs": execute(logs),
  "003-facts": execute(facts),
  "004-singles": execute([
    "create index opinion_single on opinion (accepted_at_ms desc, directive) where batch = ''",
  ]),
  "005-seals": execute(seals),
  "006-lane-marks": execute(laneMarks),
  // In which timeline the capital has led: PostgreSQL is in another one after each restore.
  "007-timeline": execute(["alter table national_state add column timeline text"]),
  // Which process leads: one that stood still at the moment of a copy that is put back must not go on.
  "008-leader": execute(['alter table national_state add column leader text collate "C"']),
  // A statement that finds something else than the leader left makes its transaction fail there (store/lead.ts).
  "009-must": execute([
    `create function must(fine boolean, why text) returns void language plpgsql as $$
       begin
         if not fine then raise exception using errcode = 'QL001', message = why; end if;
       end $$`,
  ]),
};
