// ECharts, only the parts that are drawn here; its own chunk, so that no screen waits for it.
import { LineChart, ScatterChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { init, use, type EChartsCoreOption } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";
import { FONT, coloursOf } from "./theme";
import { useScheme } from "./scheme";

use([LineChart, ScatterChart, GridComponent, TooltipComponent, LegendComponent, AriaComponent, CanvasRenderer]);

export type Draw = (colours: ReturnType<typeof coloursOf>) => EChartsCoreOption;

export default function Chart({ draw, label, height = 240 }: { draw: Draw; label: string; height?: number }) {
  const place = useRef<HTMLDivElement>(null);
  const { scheme } = useScheme();
  useEffect(() => {
    if (!place.current) return;
    const colours = coloursOf(scheme);
    const chart = init(place.current);
    const drawn = draw(colours);
    chart.setOption({
      animation: false,
      ...drawn,
      textStyle: { fontFamily: FONT, color: colours.quiet },
      // richText: the usual tooltip is HTML with style attributes, which the page's policy refuses
      tooltip: {
        trigger: "axis",
        renderMode: "richText",
        backgroundColor: colours.raised,
        borderColor: colours.line,
        textStyle: { color: colours.ink, fontSize: 12, fontFamily: FONT },
        ...(drawn["tooltip"] as object | undefined),
      },
    });
    const watch = new ResizeObserver(() => chart.resize());
    watch.observe(place.current);
    return () => {
      watch.disconnect();
      chart.dispose();
    };
  }, [draw, scheme]);
  return <div ref={place} className="chart" style={{ height }} role="img" aria-label={label} />;
}
