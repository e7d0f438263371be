// How the served model fares: traffic, answer times, hand-over, confidence, labels and feedback, and whether it moved.
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import type { Shapes } from "../api/client";
import { useMonitor, type Bucket } from "../api/verbs";
import { useName } from "../app/Shell";
import { count, decimal, percent } from "../kit/format";
import { Bar, Button, Card, Empty, Fact, Given, Page, Pill, Segmented, Twin } from "../kit/parts";
import { Table } from "../kit/Table";
import { Alerts } from "./Alerts";
import { Answers, REASONS, type Wanted } from "./Answers";
import { Over } from "./Over";
import "./monitor.css";

type Seen = Shapes["MonitorReply"];
const BUCKETS: Bucket[] = ["hour", "day", "week"];
const TONES = { too_few: "", steady: "good", shifted: "warn", drifted: "bad" } as const;

export default function Monitor() {
  const { t } = useTranslation();
  const name = useName();
  const [asked, ask] = useSearchParams();
  const bucket = BUCKETS.find((one) => one === asked.get("bucket")) ?? "day";
  const [label, reason] = [asked.get("label"), REASONS.find((one) => one === asked.get("reason"))];
  const wanted: Wanted = { ...(label ? { label } : {}), ...(reason ? { reason } : {}) };
  const want = (next: Wanted) => ask({ bucket, ...next }, { replace: true });
  return (
    <Page
      title={t("nav.monitor")}
      lead={t("monitor.lead")}
      action={
        <Segmented<Bucket>
          aria-label={t("monitor.bucket")}
          value={bucket}
          onChange={(chosen) => ask({ ...wanted, bucket: chosen }, { replace: true })}
          options={BUCKETS.map((one) => ({ value: one, label: t(`monitor.bucket.${one}`) }))}
        />
      }
    >
      <Given of={useMonitor(name, bucket)}>
        {(seen) =>
          seen.whole.n_messages + seen.whole.n_feedback > 0 ? (
            <Shown seen={seen} name={name} wanted={wanted} onWant={want} />
          ) : (
            <Empty title={t("monitor.none.title")}>{t("monitor.none.text")}</Empty>
          )
        }
      </Given>
      <Alerts name={name} />
      <Twin
        cli={[`monitor ${name} --bucket ${bucket}`, ...["list", "log", "test"].map((verb) => `alert ${verb} ${name}`)]
          .map((command) => `feilun ${command}`)
          .join("\n")}
        api={[`GET …/monitor?bucket=${bucket}`, "GET …/alerts", "GET …/alerts/log", "POST …/alerts/test"]
          .map((line) => line.replace("…", `/v1/projects/${name}`))
          .join("\n")}
      />
    </Page>
  );
}

type Wanting = { wanted: Wanted; onWant: (wanted: Wanted) => void };

function Shown({ seen, name, wanted, onWant }: { seen: Seen; name: string } & Wanting) {
  const labels = seen.labels.map((one) => one.label);
  const look = (label: string) => {
    onWant({ label });
    document.getElementById("answers")?.scrollIntoView({ block: "center" });
  };
  return (
    <>
      <Figures whole={seen.whole} />
      <Over seen={seen} />
      <Moved seen={seen} onLabel={look} />
      <Answers name={name} labels={labels} wanted={wanted} onWant={onWant} />
    </>
  );
}

function Figures({ whole }: { whole: Shapes["MonitorSpan"] }) {
  const { t } = useTranslation();
  const of = (n: number, all: number) => (all ? percent(n / all) : "–");
  return (
    <Card>
      <div className="metrics">
        <Fact label={t("monitor.messages")} value={count(whole.n_messages)} />
        <Fact
          label={t("traffic.handed_over")}
          value={of(whole.n_handed_over, whole.n_messages)}
          note={t("monitor.of_messages")}
        />
        <Fact
          label={t("monitor.slow")}
          value={whole.p95_ms === null ? "–" : t("monitor.ms", { n: decimal(whole.p95_ms) })}
          note={
            whole.p50_ms !== null &&
            whole.p99_ms !== null &&
            t("monitor.times", { p50: decimal(whole.p50_ms), p99: decimal(whole.p99_ms) })
          }
        />
        <Fact
          label={t("arc.feedback")}
          value={count(whole.n_feedback)}
          note={t("monitor.contradicted", { share: of(whole.n_contradicted, whole.n_feedback) })}
        />
      </div>
    </Card>
  );
}

function Moved({ seen, onLabel }: { seen: Seen; onLabel: (label: string) => void }) {
  const { t } = useTranslation();
  const { drift, labels, whole } = seen;
  const all = (of: (one: Shapes["MonitorLabel"]) => number) => labels.reduce((sum, one) => sum + of(one), 0);
  const [now, before] = [all((one) => one.n), all((one) => one.n_before)];
  const share = (n: number, sum: number) => <span className="num">{sum ? percent(n / sum) : "–"}</span>;
  return (
    <Card
      title={
        <span className="row">
          {t("monitor.drift")}
          <Pill tone={TONES[drift.state]}>{t(`monitor.drift.${drift.state}`)}</Pill>
        </span>
      }
      note={
        drift.labels === null || drift.confidence === null
          ? t("monitor.drift.needs", {
              n: count(drift.n_needed),
              now: count(whole.n_messages),
              before: count(drift.n_before),
            })
          : t("monitor.drift.index", { labels: decimal(drift.labels, 3), confidence: decimal(drift.confidence, 3) })
      }
    >
      {labels.length > 0 && (
        <Table<Shapes["MonitorLabel"]>
          label={t("monitor.labels")}
          rowKey="label"
          dataSource={labels}
          pagination={{ pageSize: 12, showSizeChanger: false, hideOnSinglePage: true }}
          columns={[
            {
              title: t("monitor.label"),
              key: "label",
              render: (_, one) => (
                <Button type="link" size="small" onClick={() => onLabel(one.label)}>
                  {one.label}
                </Button>
              ),
            },
            {
              title: t("monitor.share"),
              key: "bar",
              width: "30%",
              render: (_, one) => (
                <Bar share={now ? one.n / now : 0} label={`${one.label} ${percent(now ? one.n / now : 0)}`} />
              ),
            },
            { title: t("monitor.now"), key: "now", align: "right", render: (_, one) => share(one.n, now) },
            {
              title: t("monitor.before"),
              key: "before",
              align: "right",
              render: (_, one) => share(one.n_before, before),
            },
          ]}
        />
      )}
    </Card>
  );
}
