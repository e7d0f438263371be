// What is in the data now: counts, what was set aside and why, duplicates, contradictions, leaks, balance, advice.
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { useDataReport } from "../api/files";
import { count } from "../kit/format";
import { Bar, Card, Fact, Given } from "../kit/parts";
import "../start/start.css";

const MOST = 8;

export function Found({ name }: { name: string }) {
  return <Given of={useDataReport(name)}>{(of) => <Report of={of} />}</Given>;
}

function Report({ of }: { of: Shapes["DataReport"] }) {
  const { t, i18n } = useTranslation();
  const zh = i18n.language === "zh";
  const advice = (zh ? of.advice_zh : of.advice_en) ?? [];
  const pairs = [
    ["conflicts", of.n_conflicts, of.conflicts],
    ["leaks", of.n_leaks, of.leaks],
    ["near_leaks", of.n_near_leaks, of.near_leaks],
    ["duplicates", of.n_exact_duplicates, of.exact_duplicates],
    ["near_duplicates", of.n_near_duplicates, of.near_duplicates],
  ] as const;
  return (
    <>
      <div className="metrics">
        <Fact label={t("found.train")} value={count(of.n_train)} />
        <Fact label={t("found.holdout")} value={count(of.n_holdout)} note={t("found.holdout.note")} />
        <Fact label={t("found.unlabelled")} value={count(of.n_unlabelled)} />
        <Fact label={t("found.aside")} value={count(of.n_set_aside ?? 0)} />
      </div>
      <Card title={t("found.title")} note={t("found.note")}>
        <div className="stack">
          {advice.length > 0 && (
            <ul className="notes">
              {advice.map((one) => (
                <li key={one}>{one}</li>
              ))}
            </ul>
          )}
          {pairs.map(([what, n, shown]) =>
            n ? (
              <details key={what}>
                <summary>{t(`found.${what}`, { count: n })}</summary>
                <ul className="aside-rows small mono">
                  {(shown ?? []).slice(0, MOST).map(([a, b]) => (
                    <li key={`${a} ${b}`}>
                      {a} · {b}
                    </li>
                  ))}
                </ul>
              </details>
            ) : null,
          )}
          {(of.n_set_aside ?? 0) > 0 && (
            <details>
              <summary>{t("found.set_aside", { count: of.n_set_aside ?? 0 })}</summary>
              <ul className="aside-rows small">
                {(of.set_aside ?? []).slice(0, MOST).map((row) => (
                  <li key={`${row.source}:${row.row}`}>
                    <span className="mono">
                      {row.source}:{row.row}
                    </span>{" "}
                    {zh ? row.zh : row.en}
                  </li>
                ))}
              </ul>
            </details>
          )}
          {pairs.every(([, n]) => !n) && !of.n_set_aside && <p className="quiet">{t("found.nothing")}</p>}
        </div>
      </Card>
      <Balance counts={of.class_counts ?? {}} />
    </>
  );
}

function Balance({ counts }: { counts: Record<string, number> }) {
  const { t } = useTranslation();
  const rows = Object.entries(counts).sort(([, a], [, b]) => a - b);
  if (rows.length === 0) return null;
  const most = Math.max(...rows.map(([, n]) => n));
  return (
    <Card title={t("found.balance")} note={t("found.balance.note", { count: rows.length })}>
      <ul className="classes">
        {rows.slice(0, 2 * MOST).map(([label, n]) => (
          <li key={label}>
            <span>{label}</span>
            <Bar share={n / most} label={count(n)} />
            <em className="num">{count(n)}</em>
          </li>
        ))}
      </ul>
    </Card>
  );
}
