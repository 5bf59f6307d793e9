import type { PostgresServer, Workload } from "../blueprint/stack.ts";
import { jobContainer } from "./containers.ts";
import type { Json, Manifest } from "./manifest.ts";
import { namespaceOf, siteLabels, storageMount, storagePath } from "./names.ts";
import type { Site } from "./site.ts";
import { podSecurity, volumeClaim } from "./workloads.ts";

/** Name of the pod that puts a database back. */
export const restorePodName = "restore-postgres";

/**
 * Puts the newest base backup that is old enough, and from which the log leads
 * to the history that is wanted, in the place of the database, so that the
 * server replays all archived WAL after it when it starts (`restore_command` in
 * its configuration). What was there is set aside. It is told by its
 * environment: DATA_DIRECTORY, BACKUP_DIRECTORY, and UNTIL, a time (ISO 8601,
 * UTC) with UNTIL_LABEL, the same as labels of backups are written, both empty:
 * all that was archived; and TIMELINE, a number, empty: the latest.
 */
export const restoreScript = [
  "set -eu",
  String.raw`bytes() { echo "$((0x${"$"}{1%/*} * 4294967296 + 0x${"$"}{1#*/}))"; }`,
  'history_of() { printf "%s/wal/%08X.history" "$BACKUP_DIRECTORY" "$1"; }',
  // As `leadsTo` of services/platform/backup/timelines.ts, which says why.
  "leads() {",
  String.raw`  file="$(sed -n 's/^START WAL LOCATION: .* (file \([0-9A-F]\{24\}\))$/\1/p' "$1")"`,
  String.raw`  checkpoint="$(sed -n 's/^CHECKPOINT LOCATION: \([0-9A-F]*\/[0-9A-F]*\)$/\1/p' "$1")"`,
  '  if test -z "$file" || test -z "$checkpoint"; then echo "$1 is not readable" >&2; return 1; fi',
  '  own="$((0x${file%????????????????}))"',
  '  to="${TIMELINE:-$own}"',
  '  if test -z "$TIMELINE"; then while test -e "$(history_of "$((to + 1))")"; do to="$((to + 1))"; done; fi',
  '  if test "$own" -eq "$to"; then return 0; fi',
  '  if ! test -e "$(history_of "$to")"; then return 1; fi',
  String.raw`  left="$(sed -n "s/^$own[[:space:]]\([0-9A-F]*\/[0-9A-F]*\)[[:space:]].*/\1/p" "$(history_of "$to")")"`,
  '  test -n "$left" && test "$(bytes "$checkpoint")" -lt "$(bytes "$left")"',
  "}",
  'base=""',
  'old=""',
  'for folder in "$BACKUP_DIRECTORY"/base/*Z; do',
  '  label="${folder##*/}"',
  '  if ! test -d "$folder"; then continue; fi',
  '  if test -n "$UNTIL_LABEL"; then',
  '    if expr "$label" ">" "$UNTIL_LABEL" >/dev/null; then continue; fi',
  // It is written when the backup ends: before that the database is not whole.
  '    if test -n "$(find "$folder/backup_label" -newermt "$UNTIL")"; then continue; fi',
  "  fi",
  '  old="$label"',
  '  if leads "$folder/backup_label"; then base="$label"; fi',
  "done",
  'if test -z "$old"; then echo "no base backup is old enough" >&2; exit 1; fi',
  'if test -z "$base"; then echo "no base backup leads to history ${TIMELINE:-that is latest}" >&2; exit 1; fi',
  'draft="$DATA_DIRECTORY.restored"',
  'rm -rf "$draft"',
  'cp -a "$BACKUP_DIRECTORY/base/$base" "$draft"',
  'settings="$draft/postgresql.auto.conf"',
  // What an earlier restore left there would hold for this one too.
  'sed -i -e "/^recovery_target/d" -e "/^hot_standby /d" "$settings"',
  // Whoever is let in finds a database that is whole.
  'echo "hot_standby = \'off\'" >> "$settings"',
  'if test -n "$UNTIL"; then',
  '  echo "recovery_target_time = \'$UNTIL\'" >> "$settings"',
  '  echo "recovery_target_action = \'promote\'" >> "$settings"',
  "fi",
  'if test -n "$TIMELINE"; then echo "recovery_target_timeline = \'$TIMELINE\'" >> "$settings"; fi',
  ': > "$draft/recovery.signal"',
  'aside="$DATA_DIRECTORY.before-$(date -u +%Y%m%dT%H%M%SZ)"',
  // Two restores may fall into one second.
  'while test -e "$aside"; do aside="$aside-again"; done',
  'if test -e "$DATA_DIRECTORY"; then mv "$DATA_DIRECTORY" "$aside"; fi',
  'mv "$draft" "$DATA_DIRECTORY"',
  'sync -f "$DATA_DIRECTORY"',
  'echo "put back: the base backup $base"',
].join("\n");

/**
 * What restores the PostgreSQL of a site while its own pod does not run: its
 * volumes, where they are lost, and a pod that works on them once.
 *
 * @param wanted.until no transaction that was committed later comes back; all that were archived when absent
 * @param wanted.timeline the history, after earlier restores; the latest when absent
 */
export function restoreManifests(
  site: Site,
  { until, timeline }: { readonly until?: Date | undefined; readonly timeline?: number | undefined },
): readonly Manifest[] {
  const { workload, server } = postgresOf(site);
  const environment = {
    DATA_DIRECTORY: storagePath(workload, server.storage),
    BACKUP_DIRECTORY: storageMount(server.backupStorage),
    ...wantedVariables(until, timeline),
  };
  return [
    ...workload.storage.map((storage): Manifest => {
      const { metadata, spec } = volumeClaim(storage, workload, site);
      return {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: {
          ...metadata,
          name: claimName(workload, storage.name),
          namespace: namespaceOf(site.stack.site),
        },
        spec,
      };
    }),
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: restorePodName,
        namespace: namespaceOf(site.stack.site),
        // Not those of the workload: nobody reaches it, and it reaches nobody.
        labels: siteLabels(site.stack.site),
      },
      spec: {
        restartPolicy: "Never",
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: podSecurity(workload),
        containers: [jobContainer(restorePodName, restoreScript, environment, workload, site)],
        volumes: workload.storage.map(({ name }): Json => ({
          name,
          persistentVolumeClaim: { claimName: claimName(workload, name) },
        })),
      },
    },
  ];
}

/** Of the one pod of PostgreSQL. */
const claimName = ({ name }: Workload, storage: string): string => `${storage}-${name}-0`;

/** UNTIL, UNTIL_LABEL and TIMELINE of the script. */
export function wantedVariables(
  until: Date | undefined,
  timeline: number | undefined,
): Readonly<Record<"UNTIL" | "UNTIL_LABEL" | "TIMELINE", string>> {
  const time = until?.toISOString();
  return {
    UNTIL: time?.replace("Z", "+00") ?? "",
    UNTIL_LABEL: time === undefined ? "" : `${time.slice(0, 19).replaceAll(/[-:]/g, "")}Z`,
    TIMELINE: timeline?.toString() ?? "",
  };
}

function postgresOf({ stack }: Site): { readonly workload: Workload; readonly server: PostgresServer } {
  for (const workload of stack.workloads)
    if (workload.program.kind === "postgres") return { workload, server: workload.program.server };
  throw new RangeError(`${stack.site} has no PostgreSQL`);
}
