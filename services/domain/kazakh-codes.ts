/**
 * Allocated codes of Kazakhstan after +7 (domain.md, "Telephone numbers").
 * 703, 704, 750 and 780 are unknown to libphonenumber, which is why this table
 * is ours. A code that is missing here makes its numbers "unallocated", and
 * those are blocked on international trunks: when in doubt, list it.
 */

/** Mobile codes, and 751 (VoIP: its subscribers move about like mobile ones). */
export const mobileCodes: ReadonlySet<string> = new Set([
  ...["700", "701", "702", "703", "704", "705", "706", "707", "708"],
  ...["747", "750", "751"],
  ...["760", "761", "762", "763", "764"],
  ...["771", "775", "776", "777", "778", "780", "785"],
]);

/**
 * Fixed lines: the first three digits of all area codes of the regions. The
 * towns of a region share the first three digits with its centre.
 */
export const fixedAreaCodes: ReadonlySet<string> = new Set([
  ...["710", "711", "712", "713", "714", "715", "716", "717", "718"],
  ...["721", "722", "723", "724", "725", "726", "727", "728", "729"],
]);

/** Emergency services that any phone reaches: fire, police, ambulance, gas, the single number. */
export const emergencyCodes: ReadonlySet<string> = new Set(["101", "102", "103", "104", "112"]);
