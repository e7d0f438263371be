// What more labels would bring, and in which classes.
import { lazy, Suspense, useCallback } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { GRID, axis, band } from "../kit/axes";
import type { Draw } from "../kit/Chart";
import { count, percent, points } from "../kit/format";
import { Card, Waiting } from "../kit/parts";

const Chart = lazy(() => import("../kit/Chart"));
const SHOWN = 5;

export function Curve({ of }: { of: Shapes["LearningCurve"] }) {
  const { t } = useTranslation();
  const draw: Draw = useCallback(
    (c) => {
      const ahead = [
        { n: of.n_labels, value: of.now },
        ...(of.forecasts ?? []).map((one) => ({ n: of.n_labels + one.n_more, value: one.value })),
      ];
      const lowest = Math.min(...(of.points ?? []).map((point) => point.value), ...ahead.map((one) => one.value.low));
      const x = ahead.map((one) => one.n);
      return {
        grid: { ...GRID, bottom: 24 },
        xAxis: {
          type: "value",
          min: 0,
          name: t("curve.labels"),
          nameLocation: "middle",
          nameGap: 28,
          ...axis(c, { splitLine: { show: false } }),
        },
        yAxis: {
          type: "value",
          min: Math.max(0, Math.floor(lowest * 10) / 10),
          max: 1,
          ...axis(c, { axisLabel: { color: c.quiet, formatter: (v: number) => percent(v, 0) } }),
        },
        tooltip: { show: false },
        series: [
          ...band(
            c,
            x,
            ahead.map((one) => one.value.low),
            ahead.map((one) => one.value.high),
          ),
          {
            type: "line",
            data: (of.points ?? []).map((point) => [point.n_labels, point.value]),
            symbol: "circle",
            symbolSize: 7,
            lineStyle: { color: c.accent, width: 2 },
            itemStyle: { color: c.accent },
          },
          {
            type: "line",
            data: ahead.map((one) => [one.n, one.value.value]),
            symbol: "emptyCircle",
            symbolSize: 7,
            lineStyle: { color: c.accent, width: 2, type: [5, 4] },
            itemStyle: { color: c.accent },
          },
          ...(of.goal
            ? [
                {
                  type: "line",
                  silent: true,
                  symbol: "none",
                  data: [
                    [0, of.goal],
                    [Math.max(...x), of.goal],
                  ],
                  lineStyle: { color: c.warn, type: [2, 3], width: 1.5 },
                },
              ]
            : []),
        ],
      };
    },
    [of, t],
  );
  return (
    <Card title={t("curve.title")} note={t("curve.note")}>
      <div className="curve">
        <Suspense fallback={<Waiting rows={6} />}>
          <Chart draw={draw} label={t("curve.title")} height={270} />
        </Suspense>
        <div className="stack">
          <ul className="advice">
            {(of.forecasts ?? []).map((one) => (
              <li key={one.n_more}>
                {t("curve.more", { count: one.n_more, n: count(one.n_more) })}{" "}
                <b className="num">{t("curve.gain", { gain: points(one.gain.value) })}</b>{" "}
                <span className="quiet small num">
                  {t("curve.range", { low: points(one.gain.low), high: points(one.gain.high) })}
                </span>
              </li>
            ))}
          </ul>
          {of.verdict && (
            <p>
              {t(`curve.verdict.${of.verdict}`, { goal: percent(of.goal ?? 0, 0), needed: count(of.n_needed ?? 0) })}
            </p>
          )}
          {(of.classes?.length ?? 0) > 0 && (
            <div>
              <h2>{t("curve.classes")}</h2>
              <ol className="gains">
                {(of.classes ?? []).slice(0, SHOWN).map((one) => (
                  <li key={one.label}>
                    <span>{one.label}</span>
                    <span className="quiet small num">
                      {t("curve.class", { count: one.n_examples, error: percent(one.error, 0) })} ·{" "}
                      {t("curve.ten", { gain: points(one.gain) })}
                    </span>
                  </li>
                ))}
              </ol>
            </div>
          )}
        </div>
      </div>
    </Card>
  );
}
