// All JavaScript and CSS of the built console, gzipped, stays under its limit; says what there is.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const LIMIT_KB = 900;
const folder = new URL("../../src/feilun/console/static/assets/", import.meta.url).pathname;
if (!existsSync(folder)) {
  console.error("The console is not built. Run: npm run build");
  process.exit(1);
}
const sizes = readdirSync(folder)
  .filter((name) => /\.(js|css)$/.test(name))
  .map((name) => [name, gzipSync(readFileSync(join(folder, name))).length / 1000]);
const total = sizes.reduce((sum, [, kb]) => sum + kb, 0);
console.log(
  `console: ${total.toFixed(0)} kB gzipped of ${LIMIT_KB}; the largest: ${sizes
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3)
    .map(([name, kb]) => `${name} ${kb.toFixed(0)}`)
    .join(", ")}`,
);
if (total > LIMIT_KB) process.exit(1);
