// What answering from another confidence on would come to, and at which one the two costs are least. State: the address.
import { lazy, Suspense, useCallback, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { useThresholds } from "../api/examples";
import { useAddress } from "../app/address";
import { GRID, axis } from "../kit/axes";
import type { Draw } from "../kit/Chart";
import { count, decimal, percent } from "../kit/format";
import { Button, Card, Code, Fact, Given, Waiting } from "../kit/parts";
import "./threshold.css";

const Chart = lazy(() => import("../kit/Chart"));
const COST_WRONG = 10; // of one message handed over: a wrong answer comes back as a second message, or worse
const COST_HAND_OVER = 1;
const PER = 1000;

type Point = Shapes["ThresholdPointShape"];
type Curve = Shapes["ThresholdCurveShape"];

export function Threshold({ name, modelId }: { name: string; modelId: string }) {
  return <Given of={useThresholds(name, modelId)}>{(found) => <Slider name={name} of={found} />}</Given>;
}

const errorRate = (at: Point): number => (at.n_answered ? at.n_wrong / at.n_answered : 0);

function useChoice(of: Curve) {
  const [asked, change] = useAddress();
  const number = (key: string, otherwise: number) => {
    const value = Number(asked.get(key) ?? NaN);
    return Number.isFinite(value) && value >= 0 ? value : otherwise;
  };
  const wrong = number("wrong", COST_WRONG);
  const handOver = number("hand_over", COST_HAND_OVER);
  const cost = (at: Point) => ((at.n_wrong * wrong + (of.n_examples - at.n_answered) * handOver) / of.n_examples) * PER;
  const costs = of.points.map(cost);
  const nearest = (threshold: number) =>
    of.points.reduce(
      (best, at, i) =>
        Math.abs(at.threshold - threshold) < Math.abs((of.points[best] as Point).threshold - threshold) ? i : best,
      0,
    );
  // beside the address, which follows a moment later: a slider must not lag behind the hand
  const [chosen, hold] = useState(() => nearest(number("threshold", of.threshold)));
  return {
    wrong,
    handOver,
    costs,
    set: (key: string, value: string) => change({ [key]: value }),
    own: nearest(of.threshold),
    cheapest: costs.indexOf(Math.min(...costs)),
    chosen,
    choose: (i: number) => {
      hold(i);
      change({ threshold: String((of.points[i] as Point).threshold) });
    },
  };
}

function Slider({ name, of }: { name: string; of: Curve }) {
  const { t } = useTranslation();
  const choice = useChoice(of);
  const at = of.points[choice.chosen] as Point;
  const perThousand = { cost: decimal(choice.costs[choice.chosen] as number, 0), n: count(PER) };
  return (
    <Card title={t("threshold.title")} note={t("threshold.note", { count: of.n_examples })}>
      <div className="threshold">
        <div className="stack">
          <label className="field">
            <span>
              {t("threshold.from")} <b className="num">{percent(at.threshold)}</b>
            </span>
            <input
              type="range"
              min={0}
              max={of.points.length - 1}
              value={choice.chosen}
              aria-valuetext={t("threshold.value", {
                threshold: percent(at.threshold),
                answered: percent(at.n_answered / of.n_examples),
                wrong: percent(errorRate(at)),
              })}
              onChange={(event) => choice.choose(Number(event.target.value))}
            />
          </label>
          <div className="row">
            <Button size="small" disabled={choice.chosen === choice.own} onClick={() => choice.choose(choice.own)}>
              {t("threshold.own")}
            </Button>
            <Button
              size="small"
              disabled={choice.chosen === choice.cheapest}
              onClick={() => choice.choose(choice.cheapest)}
            >
              {t("threshold.cheapest")}
            </Button>
          </div>
          <div className="threshold-facts">
            <Fact label={t("threshold.answered")} value={percent(at.n_answered / of.n_examples)} />
            <Fact label={t("threshold.wrong")} value={percent(errorRate(at))} />
            <Fact label={t("threshold.cost")} value={perThousand.cost} note={t("threshold.cost.note", perThousand)} />
          </div>
          <div className="row">
            <Cost word="threshold.cost_wrong" value={choice.wrong} onSet={(value) => choice.set("wrong", value)} />
            <Cost
              word="threshold.cost_hand_over"
              value={choice.handOver}
              onSet={(value) => choice.set("hand_over", value)}
            />
          </div>
        </div>
        <Drawn of={of} {...choice} />
      </div>
      {choice.chosen !== choice.own && <Use name={name} at={at} />}
    </Card>
  );
}

function Cost({
  word,
  value,
  onSet,
}: {
  word: "threshold.cost_wrong" | "threshold.cost_hand_over";
  value: number;
  onSet: (value: string) => void;
}) {
  const { t } = useTranslation();
  return (
    <label className="field cost">
      <span>{t(word)}</span>
      <input
        type="number"
        min={0}
        step="any"
        defaultValue={value}
        onChange={(event) => event.target.validity.valid && event.target.value && onSet(event.target.value)}
      />
    </label>
  );
}

/** A model's own threshold is sealed with it: the next turn chooses one for the error rate that is aimed at. */
function Use({ name, at }: { name: string; at: Point }) {
  const { t } = useTranslation();
  if (!at.n_answered) return <p className="quiet threshold-use">{t("threshold.none")}</p>;
  const rate = Math.max(errorRate(at), 0.001).toFixed(3);
  return (
    <div className="stack tight threshold-use">
      <p>{t("threshold.use", { rate: percent(Number(rate)) })}</p>
      <Code text={`# feilun.toml\n[evaluate]\nmax_error_rate = ${rate}`} />
      <Code text={`feilun turn ${name}`} />
    </div>
  );
}

function Drawn({
  of,
  costs,
  own,
  cheapest,
  chosen,
}: {
  of: Curve;
  costs: number[];
  own: number;
  cheapest: number;
  chosen: number;
}) {
  const { t } = useTranslation();
  const draw: Draw = useCallback(
    (c) => {
      const spot = (i: number): [number, number] => [
        (of.points[i] as Point).n_answered / of.n_examples,
        costs[i] as number,
      ];
      const mark = (i: number, name: string, more: object) => ({
        type: "scatter",
        name,
        data: [spot(i)],
        symbolSize: 11,
        ...more,
      });
      return {
        grid: { ...GRID, bottom: 24, top: 40 },
        legend: { top: 0, left: 0, textStyle: { color: c.quiet }, itemWidth: 12 },
        xAxis: {
          type: "value",
          min: 0,
          max: 1,
          name: t("threshold.answered"),
          nameLocation: "middle",
          nameGap: 28,
          ...axis(c, {
            splitLine: { show: false },
            axisLabel: { color: c.quiet, formatter: (v: number) => percent(v, 0) },
          }),
        },
        yAxis: { type: "value", ...axis(c) },
        tooltip: { show: false },
        series: [
          {
            type: "line",
            name: t("threshold.cost"),
            data: of.points.map((_, i) => spot(i)),
            symbol: "none",
            lineStyle: { color: c.accent, width: 2 },
            itemStyle: { color: c.accent },
          },
          mark(own, t("threshold.own"), { symbol: "emptyCircle", itemStyle: { color: c.quiet } }),
          mark(cheapest, t("threshold.cheapest"), { symbol: "diamond", itemStyle: { color: c.good } }),
          mark(chosen, t("threshold.chosen"), { itemStyle: { color: c.accent } }),
        ],
      };
    },
    [of, costs, own, cheapest, chosen, t],
  );
  return (
    <Suspense fallback={<Waiting rows={6} />}>
      <Chart draw={draw} label={t("threshold.title")} height={290} />
    </Suspense>
  );
}
