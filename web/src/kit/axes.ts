// How every chart looks: thin lines, few marks.
import type { Colours } from "./theme";

export function axis(c: Colours, more: object = {}) {
  return {
    axisLine: { lineStyle: { color: c.line } },
    axisTick: { show: false },
    axisLabel: { color: c.quiet, fontSize: 12 },
    splitLine: { lineStyle: { color: c.line, type: [3, 4] } },
    nameTextStyle: { color: c.quiet },
    ...more,
  };
}

export const GRID = { left: 8, right: 16, top: 16, bottom: 8, containLabel: true };

/** Two lines that enclose a band: stacked areas, the lower one invisible. */
export function band(c: Colours, x: (string | number)[], low: number[], high: number[]) {
  const edge = {
    type: "line",
    stack: "band",
    symbol: "none",
    lineStyle: { opacity: 0 },
    silent: true,
    tooltip: { show: false },
  };
  return [
    { ...edge, name: "low", data: low.map((value, i) => [x[i], value]) },
    {
      ...edge,
      name: "band",
      data: high.map((value, i) => [x[i], value - (low[i] ?? 0)]),
      areaStyle: { color: c.accent, opacity: 0.14 },
    },
  ];
}
