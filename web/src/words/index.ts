// English and Chinese. The reader's choice wins, then the browser's languages.
import i18n, { type PostProcessorModule } from "i18next";
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

/** Every text half as long again and in brackets, for whoever looks for texts that do not fit: `?pseudo` in the address. */
const longer: PostProcessorModule = {
  type: "postProcessor",
  name: "longer",
  process: (text: string) => `⟦${text}${" longer".repeat(Math.ceil(text.length / 14))}⟧`,
};
const isPseudo = new URLSearchParams(location.search).has("pseudo");

i18n.on("languageChanged", mark);
void i18n
  .use(initReactI18next)
  .use(longer)
  .init({
    ...(isPseudo ? { postProcess: ["longer"] } : {}),
    resources: { en: { translation: en }, zh: { translation: zh } },
    lng: first(),
    fallbackLng: false,
    keySeparator: false, // keys are whole: "queue.title"
    nsSeparator: false,
    interpolation: { escapeValue: false }, // React escapes
    initAsync: false,
  });
