// Who is told when something is wrong: the rules with their state, the targets, and what became of the latest alerts.
import { useTranslation } from "react-i18next";
import i18n from "i18next";
import { Link } from "react-router";
import type { Shapes } from "../api/client";
import { useAlertLog, useAlerts, useTestAlerts } from "../api/alerts";
import { useMay } from "../api/session";
import { decimal, percent, when } from "../kit/format";
import { Button, Card, Code, Given, Pill, Trouble } from "../kit/parts";
import { Table } from "../kit/Table";

type Rule = Shapes["AlertRuleRow"];
type Target = Shapes["AlertTargetRow"];
type Delivery = Shapes["AlertDeliveryRow"];
const RULE_TONES = { ok: "good", firing: "bad", unknown: "" } as const;
const DELIVERY_TONES = { delivered: "good", waiting: "warn", failed: "bad" } as const;
const SHARES = new Set<Rule["rule"]>(["hand_over", "contradicted", "failed_requests"]);
const SNIPPET = `[[alerts.to]]
name = "ops"
format = "slack"          # json, slack, wecom, dingtalk, feishu
url = "env:SLACK_WEBHOOK"`;

export function Alerts({ name }: { name: string }) {
  return (
    <>
      <Given of={useAlerts(name)}>{(board) => <Board board={board} name={name} />}</Given>
      <Log name={name} />
    </>
  );
}

function Board({ board, name }: { board: Shapes["AlertsReply"]; name: string }) {
  const { t } = useTranslation();
  const nFiring = board.rules.filter((one) => one.state === "firing").length;
  return (
    <Card
      title={
        <span className="row">
          {t("alerts.title")}
          <Pill tone={nFiring ? "bad" : "good"}>
            {nFiring ? t("alerts.firing", { n: nFiring }) : t("alerts.quiet")}
          </Pill>
        </span>
      }
      note={t("alerts.note")}
    >
      <Rules rules={board.rules} />
      <div className="row alert-change">
        <Link to={`/projects/${encodeURIComponent(name)}/settings`}>{t("alerts.change")}</Link>
      </div>
      {board.targets.length ? <Targets targets={board.targets} name={name} /> : <Nobody />}
    </Card>
  );
}

function Rules({ rules }: { rules: Rule[] }) {
  const { t } = useTranslation();
  return (
    <Table<Rule>
      label={t("alerts.rules")}
      rowKey="rule"
      size="small"
      dataSource={rules}
      columns={[
        { title: t("alerts.rule"), key: "rule", render: (_, one) => t(`alerts.rule.${one.rule}`) },
        {
          title: t("alerts.state"),
          key: "state",
          render: (_, one) => <Pill tone={RULE_TONES[one.state]}>{t(`alerts.state.${one.state}`)}</Pill>,
        },
        { title: t("alerts.value"), key: "value", align: "right", render: (_, one) => quantity(one.rule, one.value) },
        { title: t("alerts.limit"), key: "limit", align: "right", render: (_, one) => quantity(one.rule, one.limit) },
        {
          title: <span className="alert-since">{t("alerts.since")}</span>,
          key: "since",
          width: "26%",

          render: (_, one) => <span className="alert-since nowrap">{one.since ? when(one.since) : "–"}</span>,
        },
      ]}
    />
  );
}

function Targets({ targets, name }: { targets: Target[]; name: string }) {
  const { t } = useTranslation();
  const mayTest = useMay("admin");
  const test = useTestAlerts(name);
  return (
    <div className="alert-targets">
      <h3>{t("alerts.targets")}</h3>
      <ul>
        {targets.map((one) => (
          <li key={one.name}>
            <span className="row">
              <b>{one.name}</b>
              <span className="quiet">{t(`alerts.format.${one.format}`)}</span>
              {one.host && <span className="mono small quiet">{one.host}</span>}
              {one.is_signed && <Pill>{t("alerts.signed")}</Pill>}
            </span>
            {one.trouble && <p className="bad small">{said(one.trouble)}</p>}
          </li>
        ))}
      </ul>
      {mayTest && (
        <div className="stack tight">
          <div className="row">
            <Button loading={test.isPending} onClick={() => test.mutate()}>
              {t("alerts.test")}
            </Button>
            {test.data && <Outcome sent={test.data.deliveries} />}
          </div>
          {test.error && <Trouble error={test.error} />}
        </div>
      )}
    </div>
  );
}

function Outcome({ sent }: { sent: Delivery[] }) {
  const { t } = useTranslation();
  const missed = sent.filter((one) => one.state !== "delivered").map((one) => one.target);
  return (
    <p role="status" className={missed.length ? "bad small" : "good small"}>
      {missed.length
        ? t("alerts.test.missed", { names: missed.join(", ") })
        : t("alerts.test.arrived", { n: sent.length })}
    </p>
  );
}

function Nobody() {
  const { t } = useTranslation();
  return (
    <div className="alert-targets">
      <h3>{t("alerts.nobody.title")}</h3>
      <p className="quiet">{t("alerts.nobody.text")}</p>
      <Code text={SNIPPET} />
    </div>
  );
}

function Log({ name }: { name: string }) {
  const { t } = useTranslation();
  const log = useAlertLog(name).data ?? [];
  if (!log.length) return null;
  return (
    <Card title={t("alerts.log")}>
      <ul className="alert-log">
        {log.map((one) => (
          <li key={one.delivery_id}>
            <span className="row">
              <Pill tone={DELIVERY_TONES[one.state]}>{t(`alerts.sent.${one.state}`)}</Pill>
              <b>{one.target}</b>
              <time className="quiet small">{when(one.created_at)}</time>
            </span>
            <p>{said(one)}</p>
            {one.error && <p className="bad small">{said(one.error)}</p>}
            {one.next_at && <p className="quiet small">{t("alerts.next", { at: when(one.next_at) })}</p>}
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** What is said in both languages, in the reader's. */
const said = (both: object): string => String((both as Record<string, unknown>)[i18n.language === "zh" ? "zh" : "en"]);

/** A value or a limit in the unit of its rule. */
function quantity(rule: Rule["rule"], value: number | null) {
  return <span className="num">{value === null ? "–" : inUnit(rule, value)}</span>;
}

function inUnit(rule: Rule["rule"], value: number): string {
  if (SHARES.has(rule)) return percent(value);
  if (rule === "p99_ms") return i18n.t("monitor.ms", { n: decimal(value) });
  if (rule === "silent_h") return i18n.t("alerts.hours", { n: decimal(value, 0) });
  if (rule === "disk_left_mb") return i18n.t("alerts.mb", { n: decimal(value, 0) });
  return decimal(value, 3);
}
