// The four pictures of the monitor: how something went from one bucket of time to the next.
import { lazy, Suspense, useMemo } from "react";
import { useTranslation } from "react-i18next";
import i18n from "i18next";
import type { Shapes } from "../api/client";
import { GRID, axis } from "../kit/axes";
import type { Draw } from "../kit/Chart";
import { decimal, moment, percent } from "../kit/format";
import { Card, Waiting } from "../kit/parts";
import type { Colours } from "../kit/theme";

const Chart = lazy(() => import("../kit/Chart"));
const FAINTEST = 0.12; // opacity of the band of the least sure messages' neighbour

type Span = Shapes["MonitorSpan"];
interface Line {
  name: string;
  of: (span: Span) => number | null;
  look: (c: Colours) => object;
}

export function Over({ seen }: { seen: Shapes["MonitorReply"] }) {
  const { t } = useTranslation();
  const share = (n: number, all: number) => (all ? n / all : null);
  const whole = (v: number) => decimal(v, 0);
  const part = (v: number) => percent(v, 0);
  const ms = (v: number) => t("monitor.ms", { n: decimal(v) });
  const bands = seen.whole.confidence.map((_, i, all) => ({
    name: `${percent(i / all.length, 0).replace("%", "")}–${percent((i + 1) / all.length, 0)}`,
    of: (span: Span) => share(span.confidence[i] ?? 0, span.n_messages),
    look: (c: Colours) => area(i === 0 ? c.warn : c.accent, i === 0 ? 0.5 : FAINTEST + (0.7 * i) / all.length),
  }));
  return (
    <div className="monitor-charts">
      <Picture
        {...{ seen, say: whole }}
        title={t("monitor.traffic")}
        lines={[
          {
            name: t("monitor.answered"),
            of: (span) => span.n_messages - span.n_handed_over,
            look: (c) => area(c.accent, 0.3),
          },
          { name: t("traffic.handed_over"), of: (span) => span.n_handed_over, look: (c) => area(c.warn, 0.4) },
        ]}
      />
      <Picture
        {...{ seen, say: ms }}
        title={t("monitor.latency")}
        lines={[
          { name: "p50", of: (span) => span.p50_ms, look: (c) => line(c.accent) },
          { name: "p95", of: (span) => span.p95_ms, look: (c) => line(c.warn) },
          { name: "p99", of: (span) => span.p99_ms, look: (c) => line(c.bad) },
        ]}
      />
      <Picture {...{ seen, say: part }} title={t("monitor.confidence")} most={1} lines={bands} />
      <Picture
        {...{ seen, say: whole }}
        title={t("monitor.feedback")}
        lines={[
          { name: t("monitor.given"), of: (span) => span.n_feedback, look: (c) => line(c.accent) },
          { name: t("traffic.contradicted"), of: (span) => span.n_contradicted, look: (c) => line(c.bad) },
        ]}
      />
    </div>
  );
}

function Picture(props: {
  seen: Shapes["MonitorReply"];
  title: string;
  lines: Line[];
  say: (value: number) => string;
  most?: number;
}) {
  const { seen, title, lines, say, most } = props;
  // The lines are made anew at every drawing of the screen; what they show changes only with what was seen.
  const drawn = `${i18n.language} ${JSON.stringify(seen.buckets)}`;
  const draw: Draw = useMemo(() => (c) => picture(c, seen, lines, say, most), [drawn]);
  return (
    <Card title={title}>
      <Suspense fallback={<Waiting rows={5} />}>
        <Chart draw={draw} label={title} height={220} />
      </Suspense>
    </Card>
  );
}

function picture(
  c: Colours,
  seen: Shapes["MonitorReply"],
  lines: Line[],
  say: (value: number) => string,
  most?: number,
) {
  return {
    grid: { ...GRID, bottom: 32 },
    legend: {
      type: "scroll",
      pageIconColor: c.accent,
      pageTextStyle: { color: c.quiet },
      bottom: 0,
      icon: "roundRect",
      itemWidth: 10,
      itemHeight: 10,
      textStyle: { color: c.quiet },
    },
    tooltip: { valueFormatter: (v: unknown) => (typeof v === "number" ? say(v) : "–") },
    xAxis: {
      type: "category",
      data: seen.buckets.map((span) => named(span.at, seen.bucket)),
      ...axis(c, { splitLine: { show: false } }),
    },
    yAxis: {
      type: "value",
      min: 0,
      max: most,
      minInterval: most ? 0 : 1,
      ...axis(c, { axisLabel: { color: c.quiet, formatter: say } }),
    },
    series: lines.map(({ name, of, look }) => ({
      type: "line",
      name,
      symbolSize: 5,
      showSymbol: seen.buckets.length < 40,
      data: seen.buckets.map(of),
      ...look(c),
    })),
  };
}

const line = (colour: string) => ({ lineStyle: { color: colour, width: 2 }, itemStyle: { color: colour } });

const area = (colour: string, opacity: number) => ({
  stack: "all",
  lineStyle: { color: colour, width: 1 },
  itemStyle: { color: colour, opacity: Math.max(opacity, 0.3) },
  areaStyle: { color: colour, opacity },
});

/** Days and weeks are those of UTC, so they are named in it; hours in the reader's own time. */
function named(at: string, bucket: string): string {
  if (bucket === "hour")
    return moment(at).toLocaleString(i18n.language, { day: "numeric", hour: "2-digit", minute: "2-digit" });
  return moment(at).toLocaleDateString(i18n.language, { day: "numeric", month: "short", timeZone: "UTC" });
}
