// Is confidence honest? Of the answers given at 0.9, nine in ten should be right.
import { lazy, Suspense, useCallback } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { GRID, axis } from "../kit/axes";
import type { Draw } from "../kit/Chart";
import { percent } from "../kit/format";
import { Card, Waiting } from "../kit/parts";

const Chart = lazy(() => import("../kit/Chart"));

export function Reliability({ of }: { of: Shapes["Calibration"] }) {
  const { t } = useTranslation();
  const draw: Draw = useCallback(
    (c) => {
      const bins = (of.bins ?? []).filter((bin) => bin.n_examples > 0);
      const most = Math.max(...bins.map((bin) => bin.n_examples));
      const scale = {
        type: "value",
        min: 0,
        max: 1,
        ...axis(c, { axisLabel: { color: c.quiet, formatter: (v: number) => percent(v, 0) } }),
      };
      return {
        grid: { ...GRID, bottom: 24, left: 12, top: 36 },
        xAxis: { ...scale, name: t("report.confidence"), nameLocation: "middle", nameGap: 28 },
        yAxis: { ...scale, name: t("report.right"), nameLocation: "end" },
        tooltip: {
          trigger: "item",
          formatter: (at: { data: [number, number, number] }) =>
            t("report.bin", { confidence: percent(at.data[0]), right: percent(at.data[1]), count: at.data[2] }),
        },
        series: [
          {
            type: "line",
            data: [
              [0, 0],
              [1, 1],
            ],
            symbol: "none",
            silent: true,
            lineStyle: { color: c.quiet, type: [4, 4], width: 1 },
          },
          {
            type: "scatter",
            data: bins.map((bin) => [bin.confidence, bin.accuracy, bin.n_examples]),
            symbolSize: (value: [number, number, number]) => 6 + 16 * Math.sqrt(value[2] / most),
            itemStyle: { color: c.accent, opacity: 0.8 },
          },
        ],
      };
    },
    [of, t],
  );
  return (
    <Card title={t("report.reliability")} note={t("report.reliability.note")}>
      <Suspense fallback={<Waiting rows={6} />}>
        <Chart draw={draw} label={t("report.reliability")} height={290} />
      </Suspense>
    </Card>
  );
}
