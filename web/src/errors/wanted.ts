// What is looked for: read from the address, said again for the command line and the API.
import type { Wanted } from "../api/examples";

export const SURENESS: Record<string, [number, number]> = {
  high: [0.9, 1],
  middle: [0.5, 0.9],
  low: [0, 0.5],
};
export const LENGTHS: Record<string, [number | undefined, number | undefined]> = {
  short: [undefined, 20],
  medium: [21, 80],
  long: [81, undefined],
};
const SCRIPTS = ["han", "latin", "other"] as const;
const ORDERS = ["surest", "least_sure", "as_stored"] as const;

export function readAddress(address: URLSearchParams): Wanted {
  const show = address.get("show") ?? "wrong";
  const sureness = SURENESS[address.get("sure") ?? ""];
  const length = LENGTHS[address.get("length") ?? ""];
  const wanted: Record<string, unknown> = {
    gold: address.get("gold"),
    predicted: address.get("predicted"),
    correct: show === "wrong" ? false : show === "right" ? true : undefined,
    min_confidence: sureness?.[0],
    max_confidence: sureness?.[1],
    min_chars: length?.[0],
    max_chars: length?.[1],
    script: SCRIPTS.find((one) => one === address.get("script")),
    source: address.get("source"),
    text: address.get("text"),
    order: ORDERS.find((one) => one === address.get("order")),
  };
  return Object.fromEntries(
    Object.entries(wanted).filter(([, value]) => value !== undefined && value !== null),
  ) as Wanted;
}

export function asQuery(wanted: object): string {
  const query = new URLSearchParams(Object.entries(wanted).map(([key, value]) => [key, String(value)]));
  return query.size ? `?${query.toString()}` : "";
}

export function asCommand(name: string, modelId: string, wanted: Wanted): string {
  const options = Object.entries(wanted)
    .filter(([key]) => !["correct", "min_chars", "max_chars"].includes(key))
    .map(([key, value]) => ` --${key.replaceAll("_", "-")} ${quoted(String(value))}`);
  return `feilun model errors ${name} --model ${modelId}${wanted.correct === false ? "" : " --all"}${options.join("")}`;
}

/** A file without its folders. */
export const nameOf = (source: string): string => source.slice(source.lastIndexOf("/") + 1);

export const quoted = (text: string): string => (/^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
