// What was used in a month, and how much may be; from the ledger, so that a bill can be made from it.
import { lazy, Suspense, useCallback, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import type { Shapes } from "../api/client";
import { readUsageCsv, useLimits, useUsage } from "../api/settings";
import { useSession } from "../api/session";
import { axis, GRID } from "../kit/axes";
import type { Draw } from "../kit/Chart";
import { count, decimal } from "../kit/format";
import { Button, Card, Empty, Given, Input, Page, Trouble, Twin, Waiting } from "../kit/parts";
import { Table } from "../kit/Table";
import { SetLimit } from "./SetLimit";

const Chart = lazy(() => import("../kit/Chart"));
type Line = Shapes["UsageLine"];
const thisMonth = () => new Date().toISOString().slice(0, 7);

export default function Usage() {
  const { t } = useTranslation();
  const [asked, ask] = useSearchParams();
  const month = asked.get("month") ?? thisMonth();
  const days = useUsage(month, ["day"]);
  const lines = useUsage(month, ["tenant", "project", "key", "kind"]);
  return (
    <Page title={t("usage.title")} lead={t("usage.lead")} action={<Download month={month} />}>
      <label className="field narrow">
        <span>{t("usage.month")}</span>
        <Input
          type="month"
          value={month}
          max={thisMonth()}
          onChange={(event) => event.target.value && ask({ month: event.target.value })}
        />
      </label>
      <Given of={days}>
        {(rows) =>
          rows.length ? <Days rows={rows} /> : <Empty title={t("usage.none.title")}>{t("usage.none.text")}</Empty>
        }
      </Given>
      <Given of={lines}>{(rows) => (rows.length ? <Lines rows={rows} /> : null)}</Given>
      <Limits />
      <Twin cli={`feilun usage --month ${month}`} api={`GET /v1/usage?month=${month}`} />
    </Page>
  );
}

function Days({ rows }: { rows: Line[] }) {
  const { t } = useTranslation();
  const draw = useCallback<Draw>(
    (c) => ({
      grid: GRID,
      xAxis: axis(c, { type: "category", data: rows.map((row) => row.day?.slice(8)) }),
      yAxis: axis(c, { type: "value", minInterval: 1 }),
      series: [
        {
          type: "line",
          name: t("usage.requests"),
          data: rows.map((row) => row.n_requests),
          color: c.accent,
          symbolSize: 6,
        },
      ],
    }),
    [rows, t],
  );
  return (
    <Card title={t("usage.days")}>
      <Suspense fallback={<Waiting />}>
        <Chart draw={draw} label={t("usage.days")} height={200} />
      </Suspense>
    </Card>
  );
}

function Lines({ rows }: { rows: Line[] }) {
  const { t } = useTranslation();
  const figure = (title: string, of: (row: Line) => number | undefined, digits = 0) => ({
    title,
    key: title,
    align: "right" as const,
    render: (_: unknown, row: Line) => <span className="num">{decimal(of(row) ?? 0, digits)}</span>,
  });
  return (
    <Card flush>
      <Table<Line>
        label={t("usage.title")}
        rowKey={(row) => [row.tenant, row.project, row.key_id, row.kind].join(" ")}
        dataSource={rows}
        pagination={rows.length > 20 ? { pageSize: 20 } : false}
        columns={[
          { title: t("people.tenant"), dataIndex: "tenant" },
          { title: t("nav.project"), dataIndex: "project" },
          { title: t("usage.key"), key: "key", render: (_, row) => row.key_name || row.key_id || t("usage.no_key") },
          { title: t("usage.kind"), key: "kind", render: (_, row) => (row.kind ? t(`scope.${row.kind}`) : "") },
          figure(t("usage.requests"), (row) => row.n_requests),
          figure(t("usage.inputs"), (row) => row.n_inputs),
          figure(t("usage.characters"), (row) => row.n_characters),
          figure(t("usage.cpu"), (row) => row.cpu_ms),
        ]}
      />
    </Card>
  );
}

function Limits() {
  const { t } = useTranslation();
  const session = useSession().data;
  const mayRule = session?.is_operator && session.scopes.includes("admin") && session.scopes.includes("keys");
  const [isSetting, setSetting] = useState(false);
  const most = (n: number | null | undefined) => (n == null ? "–" : count(n));
  return (
    <Card title={t("limits.title")} note={t("limits.note")} flush>
      {mayRule && (
        <>
          <Button className="inset" onClick={() => setSetting(true)}>
            {t("limits.set")}
          </Button>
          <SetLimit open={isSetting} onClose={() => setSetting(false)} />
        </>
      )}
      <Given of={useLimits()}>
        {(rows) =>
          rows.length === 0 ? (
            <p className="quiet none">{t("limits.none")}</p>
          ) : (
            <Table<Shapes["LimitRow"]>
              label={t("limits.title")}
              rowKey="subject_id"
              dataSource={rows}
              columns={[
                { title: t("limits.whose"), key: "whose", render: (_, row) => t(`limits.${row.subject}`) },
                {
                  title: t("limits.id"),
                  key: "id",
                  render: (_, row) => <span className="mono">{row.subject_id}</span>,
                },
                { title: t("limits.per_minute"), key: "minute", render: (_, row) => most(row.per_minute) },
                { title: t("limits.requests"), key: "requests", render: (_, row) => most(row.monthly_requests) },
                { title: t("limits.characters"), key: "characters", render: (_, row) => most(row.monthly_characters) },
              ]}
            />
          )
        }
      </Given>
    </Card>
  );
}

function Download({ month }: { month: string }) {
  const { t } = useTranslation();
  const [trouble, setTrouble] = useState<unknown>(null);
  const save = () =>
    readUsageCsv(month).then((table) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(table);
      link.download = `feilun-usage-${month}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
    }, setTrouble);
  return (
    <div className="stack tight">
      <Button onClick={() => void save()}>{t("usage.csv")}</Button>
      {trouble ? <Trouble error={trouble} /> : null}
    </div>
  );
}
