// The score of every turn on the frozen holdout, with its interval: does turning pay?
import { lazy, Suspense, useCallback } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { GRID, axis } from "../kit/axes";
import type { Draw } from "../kit/Chart";
import { percent, when } from "../kit/format";
import { Waiting } from "../kit/parts";

const Chart = lazy(() => import("../kit/Chart"));

export function Scores({
  name,
  reports,
  champion,
}: {
  name: string;
  reports: Shapes["Report"][];
  champion: string | null;
}) {
  const { t } = useTranslation();
  const draw: Draw = useCallback(
    (c) => {
      const rows = [...reports]
        .sort((a, b) => a.created_at.localeCompare(b.created_at))
        .flatMap((report) => {
          const of = report.metrics["accuracy"];
          return of ? [{ of, label: when(report.created_at), live: report.model_id === champion }] : [];
        });
      const [low, high] = [Math.min(...rows.map((row) => row.of.low)), Math.max(...rows.map((row) => row.of.high))];
      const step = high - low > 0.3 ? 0.1 : 0.05;
      return {
        grid: GRID,
        xAxis: { type: "category", data: rows.map((row) => row.label), ...axis(c, { splitLine: { show: false } }) },
        yAxis: {
          type: "value",
          min: Math.floor(low / step) * step,
          max: Math.min(1, Math.ceil(high / step) * step),
          interval: step,
          ...axis(c, { axisLabel: { color: c.quiet, formatter: (v: number) => percent(v, 0) } }),
        },
        tooltip: {
          trigger: "item",
          formatter: (at: { dataIndex: number }) => {
            const row = rows[at.dataIndex];
            return row
              ? `${percent(row.of.value)}\n${t("interval", { low: percent(row.of.low), high: percent(row.of.high) })}`
              : "";
          },
        },
        series: [
          ...rows.map((row) => ({
            type: "line",
            silent: true,
            symbol: "rect",
            symbolSize: [12, 2],
            data: [
              [row.label, row.of.low],
              [row.label, row.of.high],
            ],
            lineStyle: { color: c.accent, width: 1.5, opacity: 0.55 },
            itemStyle: { color: c.accent, opacity: 0.55 },
          })),
          {
            type: "line",
            data: rows.map((row) => ({
              value: [row.label, row.of.value],
              itemStyle: { color: row.live ? c.accent : c.surface, borderColor: c.accent, borderWidth: 2 },
            })),
            symbol: "circle",
            symbolSize: 11,
            lineStyle: { color: c.accent, width: 2 },
            z: 3,
          },
        ],
      };
    },
    [reports.length, champion, t],
  );
  return (
    <Suspense fallback={<Waiting rows={6} />}>
      <Chart draw={draw} label={t("home.scores.label", { name })} height={250} />
    </Suspense>
  );
}
