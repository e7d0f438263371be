// Which flipped messages are looked for: read from the address, said again for the command line and the API.
import type { Pair, WantedFlips } from "../api/comparing";
import { quoted } from "../errors/wanted";

export const KINDS = ["fixed", "broken", "changed"] as const;

export function readAddress(address: URLSearchParams): WantedFlips {
  const kind = KINDS.find((one) => one === address.get("kind"));
  const gold = address.get("gold");
  return { ...(kind ? { kind } : {}), ...(gold === null ? {} : { gold }) };
}

export function asCommand(pair: Pair, wanted: WantedFlips): string {
  const options = Object.entries(wanted).map(([key, value]) => ` --${key} ${quoted(String(value))}`);
  return `feilun model compare ${pair.old} ${pair.new} --project ${pair.name}${options.join("")}`;
}
