// English and Chinese. The reader's choice wins, then the browser's languages.
import i18n from "i18next";
import { initReactI18next } from "react-i18next";
import en from "./en.json";
import zh from "./zh.json";

export type Language = "en" | "zh";
const CHOSEN = "feilun.language";

function first(): Language {
  const chosen = localStorage.getItem(CHOSEN);
  if (chosen === "en" || chosen === "zh") return chosen;
  const known = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag === "en" || tag === "zh");
  return known === "zh" ? "zh" : "en";
}

export function speak(language: Language): void {
  localStorage.setItem(CHOSEN, language);
  void i18n.changeLanguage(language);
}

function mark(language: string): void {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

i18n.on("languageChanged", mark);
void i18n.use(initReactI18next).init({
  resources: { en: { translation: en }, zh: { translation: zh } },
  lng: first(),
  fallbackLng: false,
  keySeparator: false, // keys are whole: "queue.title"
  nsSeparator: false,
  interpolation: { escapeValue: false }, // React escapes
  initAsync: false,
});
