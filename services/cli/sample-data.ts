import { isOutage } from "./failure.ts";
import type { GlobalOptions } from "./options.ts";
import { dataFolderOf } from "./login-file.ts";
import { first, localPerson } from "./people.ts";
import { rememberSampleData, type Seeded } from "./sample-data-lacking.ts";
import { openSampleSession, type Session } from "./session.ts";

interface SampleTrunk {
  readonly trunk: string;
  readonly direction: "international" | "domestic";
  readonly sbcAddress: string;
  /** Percent of the calls that it enforces; undefined: it stays in shadow, as every new trunk begins. */
  readonly enforces?: number;
}

const sampleTrunks: readonly SampleTrunk[] = [
  { trunk: "intl-1", direction: "international", sbcAddress: "sbc-1.example.kz:5061", enforces: 100 },
  { trunk: "dom-1", direction: "domestic", sbcAddress: "sbc-2.example.kz:5061", enforces: 100 },
  { trunk: "intl-2", direction: "international", sbcAddress: "sbc-3.example.kz:5061" },
];

/** Numbers that no subscriber has; they originate from dom-1 alone. */
const sampleBank = {
  holder: "Sample Bank",
  numbers: ["+77172000100", "+77272000100"],
  originatesFrom: ["dom-1"],
};

/** For so long the services may be busy with their own start. */
const patienceMs = 30_000;
const retryWaitMs = 250;

/**
 * Puts the sample trunks and the sample bank's protected numbers where they
 * are missing, through the same calls that people make.
 *
 * @throws RemoteError what a service answered in the end
 */
export async function addSampleData(options: GlobalOptions, lacking: Seeded): Promise<void> {
  // Whoever is logged in need not be allowed to do this.
  using session = await openSampleSession(options);
  await Promise.all(lacking.regions.map((region) => patiently(() => addTrunks(session, region))));
  if (!lacking.bank) await patiently(() => addBank(session));
  rememberSampleData(dataFolderOf(options), lacking.regions);
}

async function addTrunks(session: Session, region: string): Promise<void> {
  const carrier = first("carrier", region);
  const centre = await session.centre(region, carrier, "quiet");
  const { trunks } = await centre.call("listTrunks", {});
  for (const { trunk, direction, sbcAddress, enforces } of sampleTrunks) {
    if (trunks.some((known) => known.trunk === trunk)) continue;
    await centre.call("putTrunk", {
      trunk,
      direction,
      sbcAddress,
      operator: localPerson(carrier).carrier ?? "",
    });
    if (enforces !== undefined)
      await centre.call("setTrunkMode", { trunk, mode: "enforce", percent: enforces });
  }
}

async function addBank(session: Session): Promise<void> {
  const coordination = await session.coordination(first("central-prosecutor", ""), "quiet");
  const known = (await coordination.call("listProtectedNumbers", {})).numbers.map(({ number }) => number);
  const { numbers, originatesFrom, holder } = sampleBank;
  for (const number of numbers.filter((each) => !known.includes(each))) {
    await coordination.call("addProtectedNumber", { number, originatesFrom, holder });
  }
}

/** Repeats what found no answer: all of it may be repeated without harm. */
async function patiently(act: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      await act();
      return;
    } catch (error) {
      if (!isOutage(error) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryWaitMs));
    }
  }
}
