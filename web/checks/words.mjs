// Every key is there in both languages with the same placeholders, every key is used, and every used key is there.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const SOURCE = new URL("../src/", import.meta.url).pathname;
const read = (language) => JSON.parse(readFileSync(join(SOURCE, "words", `${language}.json`), "utf8"));
const words = { en: read("en"), zh: read("zh") };
const problems = [];

const base = (key) => key.replace(/_(one|other)$/, "");
const keys = { en: new Set(Object.keys(words.en).map(base)), zh: new Set(Object.keys(words.zh).map(base)) };
for (const key of keys.en) if (!keys.zh.has(key)) problems.push(`zh.json lacks ${key}`);
for (const key of keys.zh) if (!keys.en.has(key)) problems.push(`en.json lacks ${key}`);

const holes = (text) =>
  [...text.matchAll(/\{\{(\w+)/g)]
    .map((found) => found[1])
    .sort()
    .join();
for (const [key, text] of Object.entries(words.zh)) {
  const english = words.en[key] ?? words.en[`${base(key)}_other`];
  if (english !== undefined && holes(english) !== holes(text)) problems.push(`${key}: other placeholders in zh.json`);
  if (text.trim() === "") problems.push(`${key}: empty in zh.json`);
}

const files = readdirSync(SOURCE, { recursive: true }).filter(
  (name) => /\.tsx?$/.test(name) && !name.endsWith(".d.ts"),
);
const code = files.map((name) => readFileSync(join(SOURCE, name), "utf8")).join("\n");
const literal = new Set([...code.matchAll(/"([a-z_]+(?:\.[a-z_]+)*)"/g)].map((found) => found[1]));
// t(`step.${name}`): any key that begins and ends so counts as used
const made = [...code.matchAll(/\bt\(`([^`]*)`/g)].map(
  (found) => new RegExp(`^${found[1].replace(/\./g, "\\.").replace(/\$\{[^}]*\}/g, "[a-z0-9_]+")}$`),
);
for (const key of keys.en) {
  if (!literal.has(key) && !made.some((shape) => shape.test(key))) problems.push(`${key} is not used`);
}
for (const [, key] of code.matchAll(/\bt\(\s*"([^"]+)"/g))
  if (!keys.en.has(key)) problems.push(`${key} is used and not there`);

// Text between tags that is not a translation: every word that a reader sees goes through t().
for (const name of files.filter((one) => one.endsWith(".tsx"))) {
  for (const [, text] of readFileSync(join(SOURCE, name), "utf8").matchAll(
    /^[^/\n]*<(?:p|h1|h2|dt|dd|b|small|span|Button|Pill)(?:\s[^<>{}]*)?>([^<{}\n]*[A-Za-z]{3,}[^<{}\n]*)</gm,
  )) {
    if (!/^\s*Feilun/.test(text)) problems.push(`${name}: "${text.trim()}" is not in the word files`);
  }
}

if (problems.length) {
  console.error([...new Set(problems)].join("\n"));
  process.exit(1);
}
