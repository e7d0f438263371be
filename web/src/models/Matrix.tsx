// The confusion matrix: rows are what messages were, columns what they were taken for. A cell leads to its messages.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Shapes } from "../api/client";
import { useConfusion } from "../api/examples";
import { count, percent } from "../kit/format";
import { Button, Card, Given } from "../kit/parts";
import "./matrix.css";

const SHOWN = 12; // classes at first: those in most mistakes

export function Matrix({ name, modelId }: { name: string; modelId: string }) {
  return (
    <Given of={useConfusion(name, modelId)}>
      {(found) => <Cells of={found} errors={`/projects/${encodeURIComponent(name)}/models/${modelId}/errors`} />}
    </Given>
  );
}

function Cells({ of, errors }: { of: Shapes["ConfusionShape"]; errors: string }) {
  const { t } = useTranslation();
  const [isWhole, setWhole] = useState(false);
  const classes = byMistakes(of.cells);
  const shown = isWhole ? classes : classes.slice(0, SHOWN);
  const counts = new Map(of.cells.map((cell) => [`${cell.gold}\n${cell.predicted}`, cell.count]));
  const nWrong = of.cells.filter((cell) => cell.gold !== cell.predicted).reduce((sum, cell) => sum + cell.count, 0);
  const named = (label: string) => label || t("matrix.nothing");
  return (
    <Card title={t("matrix.title")} note={t("matrix.note", { count: nWrong })}>
      <div className="stack">
        <div className="scroll matrix" tabIndex={0} role="region" aria-label={t("matrix.title")}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t("matrix.corner")}</th>
                {shown.map((label) => (
                  <th key={label} scope="col" title={named(label)}>
                    <span>{named(label)}</span>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((gold) => {
                const total = of.cells.filter((cell) => cell.gold === gold).reduce((sum, cell) => sum + cell.count, 0);
                return (
                  <tr key={gold}>
                    <th scope="row" title={named(gold)}>
                      {named(gold)}
                    </th>
                    {shown.map((predicted) => {
                      const n = counts.get(`${gold}\n${predicted}`) ?? 0;
                      if (!n) return <td key={predicted} />;
                      const words = { gold: named(gold), predicted: named(predicted), count: n };
                      const about = t(gold === predicted ? "matrix.right" : "matrix.cell", words);
                      const search = new URLSearchParams({
                        gold,
                        predicted,
                        show: gold === predicted ? "all" : "wrong",
                      });
                      return (
                        <td
                          key={predicted}
                          className={gold === predicted ? "right" : "wrong"}
                          style={{ "--share": Math.sqrt(n / Math.max(total, 1)) } as React.CSSProperties}
                        >
                          <Link to={`${errors}?${search.toString()}`} title={about} aria-label={about}>
                            {count(n)}
                          </Link>
                        </td>
                      );
                    })}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
        <div className="row between">
          <span className="quiet small">
            {t("matrix.share", { share: percent(1 - nWrong / Math.max(of.n_examples, 1)), n: count(of.n_examples) })}
          </span>
          <span className="row">
            {classes.length > SHOWN && (
              <Button size="small" onClick={() => setWhole(!isWhole)}>
                {isWhole ? t("matrix.fewer") : t("matrix.whole", { n: count(classes.length) })}
              </Button>
            )}
            <Link to={errors}>{t("matrix.errors")} →</Link>
          </span>
        </div>
      </div>
    </Card>
  );
}

/** The classes, those in most mistakes first. */
function byMistakes(cells: Shapes["ConfusionCellShape"][]): string[] {
  const mistakes = new Map<string, number>();
  for (const { gold, predicted, count: n } of cells)
    for (const label of [gold, predicted])
      mistakes.set(label, (mistakes.get(label) ?? 0) + (gold === predicted ? 0 : n));
  return [...mistakes].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([label]) => label);
}
