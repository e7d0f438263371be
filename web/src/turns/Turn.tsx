// One turn: its steps, what the running one says, the leaderboard, the outcome.
import type { TFunction } from "i18next";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Shapes } from "../api/client";
import { useEvents, type Event } from "../api/events";
import { useCancelTurn, usePauseTurn, useResumeTurn } from "../api/verbs";
import { GRID, axis } from "../kit/axes";
import type { Draw } from "../kit/Chart";
import { count, decimal, moment, percent, seconds, when } from "../kit/format";
import { Bar, Button, Card, Pill, Sheet, Trouble, Twin, Waiting } from "../kit/parts";
import { Leaderboard } from "./Leaderboard";
import { Log } from "./Log";
import { Ring } from "./Ring";
import { START, TONES, apply, outcomeOf, stateOf, type Step, type View } from "./view";

const Chart = lazy(() => import("../kit/Chart"));

export function Turn({ name, turn }: { name: string; turn: Shapes["TurnRow"] }) {
  const { t, i18n } = useTranslation();
  const view = useEvents(name, turn.turn_id, apply, START);
  const [isStopping, setStopping] = useState(false);
  const isRunning = turn.status === "running";
  const outcome = outcomeOf(turn, i18n.language);
  return (
    <div className="stack turn">
      <Card
        title={
          <span className="row">
            <Pill tone={TONES[stateOf(turn)]}>{t(`status.${stateOf(turn)}`)}</Pill>
            <span className="mono quiet">{turn.turn_id}</span>
          </span>
        }
        note={t("turn.by", {
          who: t(`by.${turn.requested_by}`, { defaultValue: turn.requested_by }),
          when: when(turn.created_at),
        })}
      >
        <div className="stack">
          <Steps steps={view.steps} isStopped={stateOf(turn) !== "running"} />
          {isRunning && (
            <div className="row between">
              <p role="status">
                {turn.paused_at !== null ? t("turn.paused") : view.told ? tell(view.told, t) : t("turn.going")}
              </p>
              <span className="row">
                {turn.paused_at === null && <Clock turn={turn} train={view.train} />}
                <Halt name={name} turn={turn} />
                <Button danger onClick={() => setStopping(true)}>
                  {t("turn.cancel")}
                </Button>
              </span>
            </div>
          )}
          {isRunning && <Ring turn={turn} name={name} />}
          {isRunning && view.told?.kind === "train.embed" && (
            <Bar
              share={Number(view.told.data?.["done"]) / Number(view.told.data?.["total"])}
              label={tell(view.told, t)}
            />
          )}
          {outcome && <p className={turn.error ? "bad" : "turn-outcome"}>{outcome}</p>}
          {turn.model_id && (
            <p>
              <Link to={`/projects/${encodeURIComponent(name)}/models/${turn.model_id}`}>{t("turn.report")} →</Link>
            </p>
          )}
        </div>
      </Card>
      {Object.keys(view.losses).length > 0 && <Losses losses={view.losses} />}
      {view.candidates.length > 0 && <Leaderboard rows={view.candidates} chosen={chosenOf(turn)} />}
      {view.log.length > 0 && <Log events={view.log} />}
      <Twin
        cli={`feilun job events ${name} --turn ${turn.turn_id} --follow`}
        api={`GET /v1/projects/${name}/events?turn_id=${turn.turn_id}`}
      />
      <Stop name={name} turnId={turn.turn_id} open={isStopping && isRunning} onClose={() => setStopping(false)} />
    </div>
  );
}

function chosenOf(turn: Shapes["TurnRow"]): Shapes["CandidateResult"] | undefined {
  const board = turn.result?.["leaderboard"] as Shapes["CandidateResult"][] | undefined;
  return board?.find((row) => row.chosen);
}

function Steps({ steps, isStopped }: { steps: Step[]; isStopped: boolean }) {
  const { t } = useTranslation();
  return (
    <ol className="steps">
      {steps.map((step) => {
        const state = isStopped && step.state === "running" ? "ahead" : step.state;
        return (
          <li key={step.name} className={state} aria-current={state === "running" ? "step" : undefined}>
            <i aria-hidden="true" />
            <b>{t(`step.${step.name}`, { defaultValue: step.name })}</b>
            <span className="quiet small num">
              <span className="sr">{t(`step.is.${state}`)} </span>
              {step.wallS !== undefined ? seconds(step.wallS) : state === "running" ? "…" : ""}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

/** What the running step says about itself, in a few words. */
function tell(event: Event, t: TFunction): string {
  const data = event.data ?? {};
  const number = (key: string) => Number(data[key] ?? 0);
  switch (event.kind) {
    case "train.start":
      return t("told.start", {
        rows: count(number("n_rows")),
        classes: count(number("n_classes")),
        budget: seconds(number("budget_s")),
      });
    case "train.embed":
      return t("told.embed", { done: count(number("done")), total: count(number("total")) });
    case "train.epoch":
    case "train.update":
      return t("told.epoch", {
        method: data["candidate"],
        epoch: number("epoch"),
        epochs: number("epochs"),
        loss: decimal(number("loss"), 4),
      });
    case "train.candidate": {
      const accuracy = (data["validation"] as Record<string, number> | undefined)?.["accuracy"];
      return t("told.candidate", { method: data["method"], score: accuracy === undefined ? "–" : percent(accuracy) });
    }
    case "train.chosen":
      return t("told.chosen", { method: data["method"] });
    default:
      return t("turn.going");
  }
}

/** How long it has run and how long it still takes: by the turn before, or, of a first one, by its budget for training. */
function Clock({ turn, train }: { turn: Shapes["TurnRow"]; train: View["train"] }) {
  const { t } = useTranslation();
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const sinceS = (at: string) => Math.max(0, (now - moment(at).getTime()) / 1000);
  const trainingLeftS = train && train.budgetS - sinceS(train.since);
  return (
    <span className="quiet num">
      {t("turn.since", { time: seconds(sinceS(turn.created_at)) })}
      {turn.left_s !== null
        ? ` · ${turn.left_s < 1 ? t("turn.left.soon") : t("turn.left", { time: seconds(turn.left_s) })}`
        : trainingLeftS && trainingLeftS > 0
          ? ` · ${t("turn.left.training", { time: seconds(trainingLeftS) })}`
          : ""}
    </span>
  );
}

function Halt({ name, turn }: { name: string; turn: Shapes["TurnRow"] }) {
  const { t } = useTranslation();
  const [pause, resume] = [usePauseTurn(name), useResumeTurn(name)];
  const verb = turn.paused_at === null ? pause : resume;
  return (
    <>
      {verb.error && <Trouble error={verb.error} />}
      <Button loading={verb.isPending} onClick={() => verb.mutate(turn.turn_id)}>
        {t(turn.paused_at === null ? "turn.pause" : "turn.resume")}
      </Button>
    </>
  );
}

function Losses({ losses }: { losses: Record<string, number[]> }) {
  const { t } = useTranslation();
  const draw: Draw = useCallback(
    (c) => ({
      grid: { ...GRID, top: 36 },
      legend: { top: 0, textStyle: { color: c.quiet }, icon: "roundRect", itemHeight: 3 },
      color: [c.accent, c.warn, c.good, c.quiet],
      xAxis: { type: "value", min: 1, minInterval: 1, ...axis(c, { splitLine: { show: false } }) },
      yAxis: { type: "value", scale: true, ...axis(c) },
      series: Object.entries(losses).map(([name, values]) => ({
        name,
        type: "line",
        symbol: "none",
        data: values.map((loss, i) => [i + 1, loss]),
        lineStyle: { width: 2 },
      })),
    }),
    [losses],
  );
  return (
    <Card title={t("turn.losses")} note={t("turn.losses.note")}>
      <Suspense fallback={<Waiting />}>
        <Chart draw={draw} label={t("turn.losses")} height={220} />
      </Suspense>
    </Card>
  );
}

function Stop({ name, turnId, open, onClose }: { name: string; turnId: string; open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const cancel = useCancelTurn(name);
  return (
    <Sheet
      open={open}
      title={t("turn.cancel.title")}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t("turn.cancel.not")}</Button>
          <Button
            danger
            type="primary"
            loading={cancel.isPending}
            onClick={() => cancel.mutate(turnId, { onSuccess: onClose })}
          >
            {t("turn.cancel")}
          </Button>
        </>
      }
    >
      <div className="stack">
        <p className="quiet">{t("turn.cancel.text")}</p>
        {cancel.error && <Trouble error={cancel.error} />}
        <Twin cli={`feilun job cancel ${name}`} api={`POST /v1/projects/${name}/turns/${turnId}/cancel`} />
      </div>
    </Sheet>
  );
}
