// What a model says: its label and what becomes of the message, and the likeliest labels.
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { percent } from "../kit/format";
import { Bar, Pill } from "../kit/parts";

export function Said({ answer }: { answer: Pick<Shapes["ModelAnswer"], "label" | "decision" | "reason"> }) {
  const { t } = useTranslation();
  return (
    <div>
      <p className="answer-label">{answer.label || t("matrix.nothing")}</p>
      <div className="row">
        <Pill tone={answer.decision === "hand_over" ? "warn" : "accent"}>{t(`decision.${answer.decision}`)}</Pill>
        <span className="quiet">{t(`reason.${answer.reason}`)}</span>
      </div>
    </div>
  );
}

export function Odds({ of }: { of: [string, number][] }) {
  return (
    <ol className="odds">
      {of.map(([label, share]) => (
        <li key={label}>
          <span>{label}</span>
          <em className="num">{percent(share)}</em>
          <Bar share={share} label={percent(share)} />
        </li>
      ))}
    </ol>
  );
}
