import { join } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { outline } from "./outline.ts";

/** Builds the nation's page into a folder of plain files; the capital serves it. */
export default defineConfig({
  root: join(import.meta.dirname, "page"),
  // Relative addresses: the page also works below a path of a reverse proxy.
  base: "./",
  plugins: [react(), outline()],
  build: {
    outDir: join(import.meta.dirname, "dist"),
    emptyOutDir: true,
    target: "es2023",
    // No data: addresses but the favicon's, so that the strictest content policy can be served.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // antd's core in one piece; the chart is loaded apart, after the figures stand.
    chunkSizeWarningLimit: 1_000,
    reportCompressedSize: false,
  },
});
