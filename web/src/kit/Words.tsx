// A message with the words that decided: the stronger the tint, the more the label stands on them.
import { Fragment } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { decimal, percent } from "./format";
import "./words.css";

const SHOWN = 4;
const LEAST_SHARE = 0.08; // of the strongest word: what is fainter is not tinted

export function Words({ text, of }: { text: string; of: Shapes["ExplanationReply"] }) {
  const chars = Array.from(text); // the server counts characters, not halves of them
  const most = Math.max(...of.words.map((one) => Math.abs(one.weight)), 0);
  let from = 0;
  return (
    <p className="words" data-testid="words">
      {of.words.map((one) => {
        const before = chars.slice(from, one.start).join("");
        from = one.end;
        const share = most > 0 ? one.weight / most : 0;
        const word = chars.slice(one.start, one.end).join("");
        return (
          <Fragment key={one.start}>
            {before}
            {Math.abs(share) < LEAST_SHARE ? word : <Word word={word} share={share} without={one.without} />}
          </Fragment>
        );
      })}
      {chars.slice(from).join("")}
    </p>
  );
}

function Word({ word, share, without }: { word: string; share: number; without: number }) {
  const { t } = useTranslation();
  return (
    <mark
      className={share < 0 ? "against" : ""}
      style={{ "--share": Math.abs(share) } as React.CSSProperties}
      title={t("words.without", { word, share: percent(without) })}
    >
      {word}
    </mark>
  );
}

/** The same in figures, for who cannot see the tint. */
export function Decisive({ text, of }: { text: string; of: Shapes["ExplanationReply"] }) {
  const { t } = useTranslation();
  const chars = Array.from(text);
  const strongest = [...of.words].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, SHOWN);
  const shown = strongest.filter((one) => one.weight !== 0);
  if (!shown.length) return <p className="quiet small">{t("words.none")}</p>;
  return (
    <div className="stack tight">
      <p className="quiet small">{t("words.lead", { label: of.label, share: percent(of.probability) })}</p>
      <ul className="decisive">
        {shown.map((one) => (
          <li key={one.start}>
            <b>{chars.slice(one.start, one.end).join("")}</b>
            <span className="num">{percent(one.without)}</span>
            <span className="quiet num">
              {t(one.weight > 0 ? "words.speaks_for" : "words.speaks_against", {
                weight: decimal(Math.abs(one.weight)),
              })}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
