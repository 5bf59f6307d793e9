import { sql, type Kysely, type Migration } from "#platform/database.ts";

/**
 * The schema of the centre. Migrations only expand: release N and N−1 run on
 * the same tables. Words (state, action, role …) are text without a check,
 * since the other release may know more of them.
 */
export const migrations: Readonly<Record<string, Migration>> = {
  "0001-directives": { up: (database) => run(database, directives) },
  "0002-record": { up: (database) => run(database, record) },
  "0003-trunks": { up: (database) => run(database, trunks) },
  "0004-national": { up: (database) => run(database, national) },
  "0005-intelligence": { up: (database) => run(database, intelligence) },
  "0006-recovery": { up: (database) => run(database, recovery) },
  "0007-decisions-ahead": { up: (database) => run(database, decisionsAhead) },
  "0008-decisions-ahead-end": { up: (database) => run(database, decisionsAheadEnd) },
};

// The migrator's own signature: it knows no schema.
async function run(database: Kysely<unknown>, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(database);
}

const directives = [
  `create table directives (
    id text not null,
    revision integer not null,
    latest boolean not null,
    target text not null,
    action text not null,
    scope text not null,
    basis text not null,
    reason text not null,
    author text not null,
    author_role text not null,
    accepted_at_ms bigint not null,
    expires_at_ms bigint not null,
    term_from_ms bigint not null,
    override_revision bigint not null,
    batch text not null,
    evidence text[] not null,
    revoked boolean not null,
    revoked_by text not null,
    missing_at_acceptance text[] not null,
    false_stop_of text not null,
    beyond_daily_targets boolean not null,
    missing text[] not null,
    refused boolean not null default false,
    event text not null,
    effect_event text,
    decision text not null default '',
    decision_reason text not null default '',
    decision_missing text[] not null default '{}',
    decided_at_ms bigint not null default 0,
    national_revision bigint not null default 0,
    primary key (id, revision)
  )`,
  // Newest first, for lists; ids of one region grow with time (ULID).
  `create index directives_latest on directives (id desc) where latest`,
  `create index directives_of_batch on directives (batch, id) where batch <> ''`,
  `create index directives_of_author on directives (author, accepted_at_ms) where batch = ''`,
  `create index directives_of_author_on_target on directives (author, target)`,
  // What the overlay holds: not decided for good.
  `create index directives_open on directives (id) where latest and decision in ('', 'held')`,
  `create index directives_of_region on directives (id) where latest and scope = 'region' and not revoked`,
  `create table batches (
    id text primary key,
    content_key text not null unique,
    action text not null,
    scope text not null,
    basis text not null,
    reason text not null,
    author text not null,
    author_role text not null,
    accepted_at_ms bigint not null,
    expires_at_ms bigint not null,
    entries integer not null,
    accepted integer not null,
    merged integer not null,
    refused_by_reason text not null,
    needs text not null,
    missing text[] not null,
    refused boolean not null default false,
    last_event text not null,
    effect_event text,
    revoked_at_ms bigint not null default 0,
    revoked_by text not null default '',
    revoked_reason text not null default '',
    revoke_event text
  )`,
  `create table approvals (
    number bigint generated always as identity primary key,
    directive text not null,
    revision integer not null,
    batch text not null,
    person text not null,
    role text not null,
    region text not null,
    kind text not null,
    approved boolean not null,
    at_ms bigint not null,
    complete boolean not null
  )`,
  `create index approvals_of_directive on approvals (directive) where directive <> ''`,
  `create index approvals_of_batch on approvals (batch) where batch <> ''`,
  `create table idempotency_keys (
    person text not null,
    key text not null,
    subject text not null,
    fingerprint text not null,
    at_ms bigint not null,
    primary key (person, key)
  )`,
];

const record = [
  `create table outbox (
    lane text not null,
    number bigint not null,
    type text not null,
    event text not null unique,
    bytes bytea not null,
    at_ms bigint not null,
    sequence bigint,
    enforced_at_ms bigint,
    primary key (lane, number)
  )`,
  `create index outbox_not_enforced on outbox (lane, sequence) where enforced_at_ms is null`,
  `create table outbox_counters (lane text primary key, last bigint not null)`,
  `insert into outbox_counters values ('urgent', 0), ('events', 0)`,
  `create table inbox (
    stream text not null, epoch integer not null, sequence bigint not null, primary key (stream, epoch)
  )`,
  `create table audit (
    number bigint primary key,
    at_ms bigint not null,
    person text not null,
    role text not null,
    what text not null,
    subject text not null,
    detail text not null,
    hash bytea not null
  )`,
  `create table audit_head (one integer primary key check (one = 1), number bigint not null, hash bytea not null)`,
  `insert into audit_head values (1, 0, decode(repeat('00', 32), 'hex'))`,
  `create function refuse_change() returns trigger language plpgsql as $$
    begin raise exception '% is append-only', tg_table_name; end $$`,
  `create trigger audit_append_only before update or delete or truncate on audit
    for each statement execute function refuse_change()`,
];

const trunks = [
  `create table trunks (
    trunk text primary key,
    revision bigint not null,
    direction text not null,
    operator text not null,
    sbc_address text not null,
    mode text not null,
    percent integer not null
  )`,
  `create table stops (
    carrier text primary key, revision bigint not null, stopped boolean not null,
    person text not null, at_ms bigint not null
  )`,
];

const national = [
  `create table protected_numbers (
    number text primary key, originates_from text[] not null, holder text not null, revision bigint not null
  )`,
  `create table national_stop (
    one integer primary key check (one = 1), stopped boolean not null, person text not null,
    at_ms bigint not null, revision bigint not null
  )`,
  `create table national_marks (sequence bigint primary key, at_ms bigint not null, enforced_at_ms bigint)`,
  `create index national_marks_not_enforced on national_marks (sequence) where enforced_at_ms is null`,
  `create table foreign_held (
    directive text primary key, revision integer not null, missing text[] not null, sequence bigint not null
  )`,
  `create table enforcements (
    national_sequence bigint not null,
    region text not null,
    state text not null,
    enforced_at_ms bigint not null,
    primary key (national_sequence, region)
  )`,
  `create table nation_regions (
    region text primary key, state text not null, national_sequence bigint not null
  )`,
];

const intelligence = [
  `create table intelligence (
    id text primary key,
    region text not null,
    revision integer not null,
    kind text not null,
    fields_json text not null,
    audience text not null,
    tlp text not null,
    confidence integer not null,
    source text not null,
    author text not null,
    created_at_ms bigint not null,
    valid_until_ms bigint not null,
    released_wording text not null,
    withdrawn boolean not null,
    withdrawn_at_ms bigint not null,
    note text not null,
    words tsvector generated always as (
      jsonb_to_tsvector('simple', fields_json::jsonb, '["string", "numeric"]')
        || to_tsvector('simple', kind || ' ' || source || ' ' || released_wording || ' ' || note)
    ) stored
  )`,
  `create index intelligence_words on intelligence using gin (words)`,
  `create index intelligence_newest on intelligence (created_at_ms desc, id)`,
];

const recovery = [
  `alter table outbox add column epoch integer not null default 1`,
  // Whether an event of the lane is here is asked by what it says, under whatever number.
  `create index outbox_content on outbox (lane, sha256(bytes))`,
  `create index outbox_not_stored on outbox (lane, number) where sequence is null`,
];

const decisionsAhead = [
  `create table decisions_ahead (
    id text not null,
    revision integer not null,
    decision text not null,
    reason text not null,
    missing text[] not null,
    sequence bigint not null,
    at_ms bigint not null,
    primary key (id, revision)
  )`,
];

// The capital's time of a decision says nothing: an old one is kept again when its message is read again.
const decisionsAheadEnd = [
  `alter table decisions_ahead add column kept_at timestamptz not null default now()`,
  `create index decisions_ahead_kept on decisions_ahead (kept_at)`,
];
