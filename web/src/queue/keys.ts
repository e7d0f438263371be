// Which key means what. Chinese, Japanese and Korean input composes words with the same keys: while it does, none of
// them is a shortcut. Chromium says so by isComposing, others (and the very first key) by the old keyCode 229.
export type Shortcut = { kind: "pick"; n: number } | { kind: "accept" | "skip" | "undo" | "search" | "alike" | "help" };

const COMPOSING = 229;
const EDITABLE = "input, textarea, select, [contenteditable=true], [role=combobox]";
const PRESSABLE = "button, a, summary, [role=radio], [role=option]";

export const isComposing = (event: KeyboardEvent): boolean => event.isComposing || event.keyCode === COMPOSING;

export function shortcutOf(event: KeyboardEvent): Shortcut | null {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isComposing(event)) return null;
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest(EDITABLE) || document.querySelector("dialog[open]")) return null;
  if (/^[1-9]$/.test(event.key)) return { kind: "pick", n: Number(event.key) };
  if (event.key === "Enter") return target?.closest(PRESSABLE) ? null : { kind: "accept" };
  const found = { s: "skip", u: "undo", a: "alike", "/": "search", "?": "help", "？": "help" }[event.key.toLowerCase()];
  return found ? ({ kind: found } as Shortcut) : null;
}
