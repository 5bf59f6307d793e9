// Node itself loads what is behind this, and strips its types; the launcher of
// policy packs would compile a TypeScript entry with a compiler of its own.
export { pack } from "./pack.ts";
