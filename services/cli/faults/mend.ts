import type { Control } from "#infra/local/control.ts";

/**
 * Mends everything that was done on purpose to a site: its line, full disks,
 * the clock, paused processes.
 *
 * @returns what was mended, one line each
 * @throws LocalRunError `unknown-region`
 */
export async function mendSite(control: Control, site: string): Promise<string[]> {
  const { services, lines, faults } = await control.status();
  const mended: string[] = [];
  // Whoever names a site that is not there is told so by the line.
  const isHere = services.some(({ region }) => region === site);
  const line = lines.find(({ region }) => region === site);
  if (!isHere || line?.cut === true || line?.halfOpen === true || (line?.slow ?? null) !== null) {
    await control.heal(site);
    mended.push(`the line of ${site} to the capital`);
  }
  for (const { service, kind } of faults.filter((fault) => fault.site === site)) {
    switch (kind) {
      case "disk-full":
        await control.free(site, service);
        mended.push(`the disk of ${site}/${service}`);
        break;
      case "clock":
        await control.skew(site, 0);
        mended.push(`the clock of ${site}`);
        break;
      default:
        kind satisfies never;
    }
  }
  for (const { service } of services.filter(({ region, state }) => region === site && state === "paused")) {
    await control.resume(site, service);
    mended.push(`${site}/${service} was paused`);
  }
  return mended;
}
