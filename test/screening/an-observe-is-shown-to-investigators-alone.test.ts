import { expect, test } from "vitest";
import { Refusal } from "#domain/refusal.ts";
import { capital, type Role } from "#domain/vocabulary.ts";
import { ScreenRequest, ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import { screen, withoutObserves } from "../../services/screening/rpc/screen.ts";

const warn = { target: "+442079460958", action: "warn", directive: "almaty-1", table: "national" };
const explained = ScreenResponse.fromPartial({
  verdict: "warn",
  matches: [warn, { ...warn, action: "observe", directive: "almaty-2" }],
});
const ask = screen({ answer: () => explained }, "astana");
const request = ScreenRequest.fromPartial({ trial: true, explain: true });
const shownTo = async (role: Role, region = "astana") => {
  const person = async () => ({ id: "1", role, region });
  return (await ask(request, { person })).matches.map(({ action }) => action);
};

test("who investigates sees in the explanation what observes the number", async () => {
  for (const role of ["operator", "analyst", "regional-prosecutor"] as const) {
    expect(await shownTo(role)).toEqual(["warn", "observe"]);
  }
  expect(await shownTo("central-prosecutor", capital)).toEqual(["warn", "observe"]);
});

test("a carrier, another region's person, and whoever has a certificate alone, is answered without it", async () => {
  expect(await shownTo("carrier")).toEqual(["warn"]);
  expect(await shownTo("operator", "almaty")).toEqual(["warn"]);
  const refusal = { field: "authorization", value: "", message: "no token", remedy: "" };
  const nobody = { person: () => Promise.reject(new Refusal({ code: "unauthenticated", ...refusal })) };
  const answer = await ask(request, nobody);
  expect(answer).toMatchObject({ verdict: "warn", matches: [{ action: "warn" }] });
  expect(withoutObserves(explained).matches).toHaveLength(1);
});

test("an answer without an explanation waits for nothing and asks for no token", () => {
  const plain = ScreenResponse.fromPartial({ verdict: "allow" });
  const person = () => {
    throw new Error("asked for a token");
  };
  expect(screen({ answer: () => plain }, "astana")(request, { person })).toBe(plain);
});
