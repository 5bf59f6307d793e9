import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { CommandFailed } from "../failure.ts";

/** What a call is in truth; the platform is told none of it. */
export const truthKinds = [
  "ordinary-domestic",
  "ordinary-foreign",
  "campaign",
  "walking-range",
  "forged-mobile",
  "forged-fixed",
  "forged-protected",
  "emergency",
] as const;
export type TruthKind = (typeof truthKinds)[number];

const share = z.number().min(0, "must be from 0 to 1").max(1, "must be from 0 to 1");
const weight = z.number().positive("must be above 0");
const weights = z
  .record(z.string(), weight)
  .refine((given) => Object.keys(given).length > 0, "must name at least one")
  .transform((given) => Object.entries(given).map(([value, itsWeight]) => ({ value, weight: itsWeight })));
const shareOfKind = z.record(z.enum(truthKinds), share);
const foreignPrefix = z.string().regex(/^\+\d{1,8}$/, "must be + and digits");
const sharesSumTolerance = 1e-9;

const populationSchema = z.strictObject({
  callShares: shareOfKind.refine(
    (shares) => Math.abs(Object.values(shares).reduce((sum, each) => sum + each, 0) - 1) < sharesSumTolerance,
    "must sum up to 1",
  ),
  redialShares: shareOfKind,
  secondSwitchShare: share,
  screenedAtHomeShare: share,
  regionWeights: z.strictObject({ small: weight, medium: weight, large: weight }),
  subscribers: z.strictObject({
    fixedShare: share,
    carrierSaysRegionShare: share,
    mobileCodeWeights: weights,
  }),
  foreign: z.array(z.strictObject({ prefix: foreignPrefix, digits: z.int().min(5).max(12), weight })).min(1),
  withheldShare: share,
  campaigns: z.strictObject({ numbersFolder: z.string().min(1) }),
  walkingRanges: z.strictObject({
    prefixes: z.array(foreignPrefix).min(1),
    numberDigits: z.int().min(9).max(15),
    blockSize: z.int().min(2).max(100_000),
    activeWalks: z.int().min(1).max(1_000),
  }),
  emergency: z.strictObject({ codeWeights: weights, fromCampaignShare: share }),
  trunks: z.strictObject({ domestic: weights, international: weights }),
  dialledForms: z.strictObject({ national: weights, international: weights }),
  assertedShare: share,
  identifiers: z
    .strictObject({ chargingIdShare: share, callIdShare: share })
    .refine(
      ({ chargingIdShare, callIdShare }) => chargingIdShare + callIdShare <= 1,
      "must not exceed 1 together",
    ),
  utcOffsetHours: z.int().min(-12).max(14),
  hourWeights: z
    .array(share)
    .length(24, "must have a weight for each hour")
    .refine((hours) => Math.max(...hours) === 1, "must have 1 at its busiest hour"),
});

export type Population = Readonly<z.output<typeof populationSchema>>;

/** The project's own population. */
const populationFile = join(import.meta.dirname, "population.yaml");

/**
 * Reads the parameters of the simulator.
 *
 * @throws CommandFailed `population-invalid`, naming the field
 */
export function readPopulation(file: string = populationFile): Population {
  const result = populationSchema.safeParse(parse(readFileSync(file, "utf8")));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new CommandFailed({
    code: "population-invalid",
    field: issue?.path.map(String).join(".") ?? "",
    value: file,
    message: `the population cannot be used: ${issue?.message ?? "it is malformed"}`,
    remedy: "correct the field in this file",
  });
}
