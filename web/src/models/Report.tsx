// Everything known about one model, written before it could go live.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { useName } from "../app/Shell";
import type { Shapes } from "../api/client";
import { useConfusion } from "../api/examples";
import { useProject, useReport } from "../api/verbs";
import { count, decimal, percent, points, when } from "../kit/format";
import { Button, Card, Fact, Given, Metric, Page, Pill, Trouble, Twin } from "../kit/parts";
import { Promote } from "../releases/Promote";
import { Classes, Confused } from "./Classes";
import { Curve } from "./Curve";
import { Matrix } from "./Matrix";
import { Reliability } from "./Reliability";
import { Threshold } from "./Threshold";
import "./report.css";

export default function ReportPage() {
  const { t } = useTranslation();
  const name = useName();
  const modelId = useParams<"modelId">().modelId ?? "";
  const champion = useProject(name).data?.champion;
  const [isChosen, choose] = useState(false);
  const report = useReport(name, modelId);
  return (
    <Page
      title={
        <span className="report-title">
          {t("report.title")} {champion === modelId && <Pill tone="accent">{t("models.champion")}</Pill>}
        </span>
      }
      lead={
        <>
          <span className="mono">{modelId}</span>
          {report.data && ` · ${when(report.data.created_at)}`}
        </>
      }
      action={
        champion !== undefined &&
        champion !== modelId &&
        report.data && <Button onClick={() => choose(true)}>{t("release.promote")}</Button>
      }
    >
      <p className="back">
        <Link to={`/projects/${encodeURIComponent(name)}/models`}>← {t("models.title")}</Link>
      </p>
      <Given of={report}>{(found) => <Sections report={found} name={name} modelId={modelId} />}</Given>
      <Twin
        cli={`feilun report ${name} --model ${modelId}\nfeilun model confusion ${name} --model ${modelId}\nfeilun model thresholds ${name} --model ${modelId}`}
        api={["report", "confusion", "thresholds"]
          .map((what) => `GET /v1/projects/${name}/models/${modelId}/${what}`)
          .join("\n")}
      />
      <Promote name={name} modelId={isChosen ? modelId : null} onClose={() => choose(false)} />
    </Page>
  );
}

function Sections({ report, name, modelId }: { report: Shapes["Report"]; name: string; modelId: string }) {
  const { i18n } = useTranslation();
  const warnings = (i18n.language === "zh" ? report.warnings_zh : report.warnings_en) ?? [];
  return (
    <>
      {warnings.length > 0 && (
        <ul className="warnings">
          {warnings.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
      )}
      <Figures report={report} />
      {report.comparison && <Compared of={report.comparison} name={name} modelId={modelId} />}
      {report.learning_curve && <Curve of={report.learning_curve} />}
      <Rows report={report} name={name} modelId={modelId} />
      {(report.calibration.bins?.length ?? 0) > 0 && <Reliability of={report.calibration} />}
      {(report.per_class?.length ?? 0) > 0 && <Classes rows={report.per_class ?? []} />}
      <Lineage report={report} />
    </>
  );
}

/** What stands on single messages; a model whose messages are not kept has the pairs of its report. */
function Rows({ report, name, modelId }: { report: Shapes["Report"]; name: string; modelId: string }) {
  const { error } = useConfusion(name, modelId);
  if (error === null)
    return (
      <>
        <Matrix name={name} modelId={modelId} />
        <Threshold name={name} modelId={modelId} />
      </>
    );
  return (
    <>
      {(report.confused?.length ?? 0) > 0 && <Confused pairs={report.confused ?? []} />}
      <Trouble error={error} />
    </>
  );
}

function Figures({ report }: { report: Shapes["Report"] }) {
  const { t } = useTranslation();
  const { thresholds, parity, out_of_scope: scope } = report;
  return (
    <div className="metrics">
      {Object.entries(report.metrics)
        .filter(([name]) => name !== "micro_f1")
        .map(([name, of]) => (
          <Metric key={name} name={name} of={of} label={t(`metric.${name}`, { defaultValue: name })} />
        ))}
      <Fact
        label={t("report.answers")}
        value={percent(thresholds.expected_answer_rate)}
        note={t("report.answers.note", {
          error: percent(thresholds.expected_error_rate),
          promised: percent(thresholds.max_error_rate, 0),
        })}
      />
      <Metric name="ece" of={report.calibration.ece_after} label={t("metric.ece")} />
      {scope && <Metric name="auroc" of={scope.auroc} label={t("metric.auroc")} />}
      <Fact
        label={t("report.size")}
        value={t("unit.mb", { n: decimal(parity.size_mb) })}
        note={t("report.size.note", { precision: parity.precision, size: decimal(parity.float_size_mb) })}
      />
      <Fact
        label={t("report.latency")}
        value={t("unit.ms", { n: decimal(parity.p50_ms) })}
        note={t("report.latency.note", { p99: decimal(parity.p99_ms) })}
      />
    </div>
  );
}

function Compared({ of, name, modelId }: { of: Shapes["Comparison"]; name: string; modelId: string }) {
  const { t } = useTranslation();
  const words = {
    difference: points(of.difference.value),
    low: points(of.difference.low),
    high: points(of.difference.high),
    p: of.p_value < 0.001 ? "< 0.001" : `= ${decimal(of.p_value, 3)}`,
  };
  return (
    <Card title={t("report.compared")} note={t("report.compared.note", { count: of.n_rows })}>
      <p className="compared">
        {t("report.compared.text", { champion: percent(of.champion), challenger: percent(of.challenger) })}{" "}
        <span className="quiet num">{t("report.compared.test", words)}</span>
      </p>
      <p className="row">
        <Pill tone="good">{t("report.fixed", { count: of.n_fixed })}</Pill>
        <Pill tone="bad">{t("report.broken", { count: of.n_broken })}</Pill>
        <Link to={`/projects/${encodeURIComponent(name)}/models/${of.champion_id}/compare/${modelId}`}>
          {t("compare.see")}
        </Link>
      </p>
    </Card>
  );
}

function Lineage({ report }: { report: Shapes["Report"] }) {
  const { t } = useTranslation();
  const rows = [
    [
      "report.rows",
      t("report.rows.text", {
        train: count(report.n_train),
        holdout: count(report.n_holdout),
        classes: count(report.n_classes),
      }),
    ],
    ["report.dataset", report.dataset_id],
    ["report.turn", report.turn_id],
    ["report.backbone", report.backbone.alias || report.backbone.source],
    ["report.seed", String(report.seed)],
    ["report.code", report.code_version],
    ["report.config", report.config_hash.slice(0, 16)],
  ] as const;
  return (
    <Card title={t("report.lineage")}>
      <dl className="lineage">
        {rows.map(([word, value]) => (
          <div key={word}>
            <dt>{t(word)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
