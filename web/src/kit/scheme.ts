// Light or dark: what the reader chose, or else what the system says.
import { createContext, useContext } from "react";
import type { Scheme } from "./theme";

export const SchemeContext = createContext<{ scheme: Scheme; choose: (scheme: Scheme) => void }>({
  scheme: "light",
  choose: () => undefined,
});

export const useScheme = () => useContext(SchemeContext);

export const CHOSEN = "feilun.scheme";

export function firstScheme(): Scheme {
  const chosen = localStorage.getItem(CHOSEN);
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
