import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Ant Design's table measures the scroll bar with a style element that carries no nonce, which the page's policy refuses.
 * None of our tables has a fixed header, so nobody needs the measure. */
const noMeasuring: Plugin = {
  name: "no-measuring",
  enforce: "pre",
  resolveId: (source, importer) =>
    source.endsWith("/getScrollBarSize") && importer?.includes("@rc-component/util")
      ? new URL("src/kit/scrollBar.ts", import.meta.url).pathname
      : null,
};

export default defineConfig({
  base: "/console/",
  plugins: [noMeasuring, react()],
  html: { cspNonce: "__NONCE__" }, // the server puts each reply's own nonce in its place
  build: {
    outDir: "../src/feilun/console/static",
    emptyOutDir: true,
    license: { fileName: "assets/notices.txt" }, // of everybody whose code is in the bundle
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000, // checks/size.mjs holds the whole to its limit
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8710" } },
});
