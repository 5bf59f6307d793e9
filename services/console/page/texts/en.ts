/** What the page says in English; the other languages have the same shape. */
export const en = {
  units: { millisecond: "ms", second: "s", minute: "min", hour: "h", day: "d" },
  regionWord: /\s*\bregion\b\s*/i,
  title: "Qalqan",
  subtitle: "Anti Call-Centres of Kazakhstan",
  skip: "Skip to the regions",
  language: "Language",
  loading: "Asking the capital …",
  ago: (duration: string) => `${duration} ago`,
  since: (moment: string) => `since ${moment}`,
  never: "never",
  none: "—",

  line: {
    live: "Live",
    lost: "No line to the capital",
    lostLong: (age: string) => `What you see is what was last known, ${age} old.`,
    failures: {
      unreachable: "The capital does not answer.",
      refused: "The capital does not let this browser see the nation's figures.",
      unreadable: "The capital answers in a form that this page does not know: reload the page.",
    },
    retryIn: (duration: string) => `Next attempt in ${duration}.`,
    retrying: "Trying again …",
    retry: "Try now",
    back: "The line to the capital is back.",
    nothing: "Nothing is known yet",
  },
  stop: {
    title: "The national stop is pulled",
    body: "Every trunk in every region is in shadow: calls are judged and recorded, and none is stopped.",
  },
  figures: {
    heading: "The nation, last hour",
    separate: "Four counts of different things: they are never added together.",
    calls: "Calls screened",
    callsNote: "each call once, however many switches asked",
    intercepted: "Intercepted",
    interceptedNote: "diverted or blocked by a centre",
    forged: "Forged and blocked",
    forgedNote: "showed a number that was not theirs",
    warned: "Warned",
    warnedNote: "the called person was told",
  },
  sync: {
    heading: "The same table everywhere",
    count: (count: number, of: number) => `${count} of ${of} regions in sync`,
    all: "Every region enforces the capital's table, entry for entry.",
    attention: "Need attention",
    sequence: "Sequence",
    digest: "Digest",
    choose: "Choose a region on the map or in the table to see it alone.",
  },
  states: {
    "in-sync": { name: "In sync", long: "Enforces the same table as the capital." },
    behind: { name: "Behind", long: "Connected, but has not applied the latest directives yet." },
    "cut-off": {
      name: "Cut off",
      long: "No line to the capital. The region goes on screening calls and enforcing its own directives.",
    },
    diverged: {
      name: "Differs",
      long: "Its table differs from the capital's; it is being replaced from the snapshot.",
    },
  },
  map: {
    heading: "Regional centres",
    help: "Arrow keys move from centre to centre.",
    label: "Map of Kazakhstan with the regional centres",
  },
  chart: {
    heading: "The last 60 minutes",
    calls: "Calls screened a minute",
    intercepted: "Intercepted a minute",
    summary: (time: string, calls: string, intercepted: string) =>
      `At ${time}: ${calls} calls screened, ${intercepted} intercepted.`,
    empty: "No calls in the last hour.",
  },
  regions: {
    heading: "Regions",
    region: "Region",
    state: "State",
    since: "Since",
    heard: "Last heard",
    epoch: "Epoch of its lanes",
    inEpoch: (epoch: string) => `epoch ${epoch}`,
    calls: "Calls",
    intercepted: "Intercepted",
    forged: "Forged",
    hourNote: "Calls, intercepted and forged: last hour, by the region of the called person.",
    unattributed: "Region unknown",
    unattributedNote: "the carrier did not say where the called person is",
    empty: "No region has been started yet.",
    close: "Back to the nation",
  },
  alarms: {
    heading: "Needs somebody to look at it",
    count: (count: number) => `${count}`,
    capital: "the capital",
    codes: {
      "waits-for-person": {
        name: "Waits for a person",
        todo: "It cannot be healed by itself. Decide, and run the command.",
      },
      "lane-forked": {
        name: "Two histories of one lane",
        todo: "Region and hub hold different events; a new epoch is being opened. Nothing has to be done unless it stays.",
      },
      "epoch-opened": {
        name: "A new epoch was opened",
        todo: "Storage had come back older or different; what was missing was fed again. Find out why the storage changed.",
      },
      "lane-read-again": {
        name: "A lane is read again",
        todo: "A store came back older, and with other events. They are being taken in; the seals of the lane begin anew there. Find out why the store changed.",
      },
      "store-behind": {
        name: "Storage came back older",
        todo: "It is being refilled from the other end. Find out why it was older.",
      },
      "stream-nearly-full": {
        name: "A stream is nearly full",
        todo: "At its limit it refuses what is new. See that the other end takes what waits, or give it more room.",
      },
      "stream-full": {
        name: "A stream is full",
        todo: "New events are refused before anybody is told that they were accepted. Make room now.",
      },
      "lane-refuses": {
        name: "A lane takes nothing",
        todo: "What people decide waits in the region's database. See whether its storage is full.",
      },
      "database-behind": {
        name: "A database came back older",
        todo: "What it lacks is being taken back from the streams. Find out why it was older.",
      },
      "seal-broken": {
        name: "A seal does not fit",
        todo: "The stream is not what was signed. Keep both ends as they are and look at them before anything is restored.",
      },
      "seal-missing": {
        name: "Seals are missing",
        todo: "What was said is not signed yet. See whether the region's replication runs.",
      },
      "archive-behind": {
        name: "The archive is behind",
        todo: "Sealed segments wait to be archived. See whether the object storage takes them.",
      },
      "key-revoked": {
        name: "A key is revoked",
        todo: "What the region sends is refused until it has a new key. Give it one when its servers are in the right hands again.",
      },
      "refused-at-hub": {
        name: "Refused by the hub",
        todo: "Somebody tried what his key does not open, or a key that opens nothing. Look into the audit; where a key is in wrong hands, revoke it.",
      },
      "refused-events": {
        name: "Events are refused",
        todo: "What this region sends is not well formed, speaks for another, or is sent with a revoked key. Look into the audit.",
      },
      "refused-access": {
        name: "Persons are refused",
        todo: "Tokens that are not valid, or of persons who may not do that. Look into the audit.",
      },
    },
  },
  directives: {
    heading: "Latest directives",
    empty: "No directive has been given yet.",
    enforced: (count: number, of: number) => `Enforced in ${count} of ${of}`,
    withdrawn: (count: number, of: number) => `Withdrawn in ${count} of ${of}`,
    slowest: (duration: string) => `everywhere within ${duration}`,
    given: (region: string) => `given in ${region}`,
    trunk: (trunk: string) => `trunk ${trunk}`,
    international: "any international trunk",
    on: (number: string, trunk: string) => `${number} on ${trunk}`,
    actions: { allow: "Allow", warn: "Warn", divert: "Divert", block: "Block", observe: "Observe" },
    states: {
      held: "Held: an approval is missing",
      regional: "In its own region",
      national: "National",
      rejected: "Rejected",
      revoked: "Revoked",
      expired: "Ended",
    },
  },
  footer: "Times are those of Kazakhstan (UTC+5). Map outline: Natural Earth, public domain.",
};

export type Texts = typeof en;
