// How one's own software asks the same, in the language one picks.
import { useState } from "react";
import { Code, Segmented } from "../kit/parts";
import { LANGUAGES, snippet, type Snippet } from "./snippets";

export function CodeSnippets({ name, text, label }: { name: string; text: string; label: string }) {
  const [language, setLanguage] = useState<Snippet>("curl");
  return (
    <div className="stack tight">
      <Segmented<Snippet>
        aria-label={label}
        value={language}
        onChange={setLanguage}
        options={LANGUAGES.map((one) => ({ value: one.value, label: one.label }))}
      />
      <Code text={snippet(language, { name, text, origin: location.origin })} />
    </div>
  );
}
