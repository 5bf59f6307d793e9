import { PolicyPack } from "@pulumi/policy";
import { policies } from "./policies.ts";

/** Serves the rules to the engine, from when it is made until the process is ended. */
export const pack = new PolicyPack("qalqan", { policies, enforcementLevel: "mandatory" });
