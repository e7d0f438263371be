// The labels of one message: nine on the number keys, all of them behind the search.
import { useImperativeHandle, useRef, useState, type KeyboardEvent, type Ref } from "react";
import { useTranslation } from "react-i18next";
import { percent } from "../kit/format";
import { isComposing } from "./keys";
import type { Row } from "./outbox";

export type Finder = { pick: (n: number) => void; accept: () => void; search: () => void };

const FOUND_SHOWN = 12;

type Props = {
  ref: Ref<Finder>;
  row: Row;
  all: string[];
  choices: string[];
  isMulti: boolean;
  onGive: (labels: string[]) => void;
};

export function Labels({ ref, row, all, choices, isMulti, onGive }: Props) {
  const { t } = useTranslation();
  const [wanted, setWanted] = useState("");
  const [at, setAt] = useState(0); // of what the search found, what Enter takes
  const [picked, setPicked] = useState<string[]>(row.labels);
  const box = useRef<HTMLInputElement>(null);

  const toggle = (label: string) =>
    setPicked((now) => (now.includes(label) ? now.filter((one) => one !== label) : [...now, label]));
  const choose = (label: string) => {
    setWanted("");
    box.current?.blur();
    if (isMulti) toggle(label);
    else onGive([label]);
  };
  const isSearching = wanted.trim() !== "";
  const shown = isSearching ? found(wanted, all) : isMulti ? [...new Set([...choices, ...picked])] : choices;
  const suggestion = isMulti ? picked : row.labels;

  useImperativeHandle(ref, () => ({
    pick: (n) => shown[n - 1] !== undefined && choose(shown[n - 1] as string),
    accept: () => onGive(suggestion),
    search: () => box.current?.focus(),
  }));

  const type = (event: KeyboardEvent<HTMLInputElement>) => {
    if (isComposing(event.nativeEvent)) return;
    if (!["Enter", "Escape", "ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    const taken = shown[at];
    if (event.key === "Enter" && isSearching && taken !== undefined) choose(taken);
    if (event.key === "ArrowDown") setAt(Math.min(at + 1, shown.length - 1));
    if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    if (event.key === "Escape") {
      setWanted("");
      box.current?.blur();
    }
  };

  const likelihood = new Map(row.alternatives);
  return (
    <div className="labels">
      <label className="sr" htmlFor="find-label">
        {t("queue.search")}
      </label>
      <div className="find">
        <input
          id="find-label"
          ref={box}
          value={wanted}
          onChange={(event) => {
            setWanted(event.target.value);
            setAt(0);
          }}
          onKeyDown={type}
          placeholder={t("queue.search")}
          autoComplete="off"
        />
        <kbd>/</kbd>
      </div>
      <ol aria-label={t("queue.labels")}>
        {shown.map((label, i) => {
          const share = likelihood.get(label);
          const isNew = !all.includes(label);
          const isOn = isSearching ? i === at : suggestion.includes(label);
          const takesEnter = isOn && (isSearching || !isMulti);
          return (
            <li key={label}>
              <button
                type="button"
                className={isOn ? "label on" : "label"}
                aria-pressed={isMulti ? picked.includes(label) : undefined}
                onClick={() => choose(label)}
              >
                {!isSearching && i < 9 && <kbd>{i + 1}</kbd>}
                <span>{isNew ? t("queue.use_new", { label }) : label}</span>
                {share !== undefined && <em className="num">{percent(share, 0)}</em>}
                {takesEnter && <kbd aria-hidden="true">⏎</kbd>}
              </button>
            </li>
          );
        })}
      </ol>
      {isMulti && (
        <button type="button" className="label on" onClick={() => onGive(picked)} disabled={picked.length === 0}>
          <kbd>⏎</kbd>
          <span>{t("queue.give_all", { count: picked.length })}</span>
        </button>
      )}
      {!wanted && all.length > choices.length && (
        <p className="quiet small">{t("queue.more", { count: all.length })}</p>
      )}
    </div>
  );
}

/** Labels that have the words in them, those that begin with them first; at the end, what was typed as a new label. */
function found(wanted: string, all: string[]): string[] {
  const words = wanted
    .trim()
    .toLowerCase()
    .split(/[\s_-]+/)
    .filter(Boolean);
  const hits = all.filter((label) => words.every((word) => label.toLowerCase().includes(word)));
  const first = (label: string) => (label.toLowerCase().startsWith(words[0] ?? "") ? 0 : 1);
  hits.sort((a, b) => first(a) - first(b) || a.localeCompare(b));
  const isKnown = all.some((label) => label.toLowerCase() === wanted.trim().toLowerCase());
  return [...hits.slice(0, FOUND_SHOWN), ...(isKnown ? [] : [wanted.trim()])];
}
