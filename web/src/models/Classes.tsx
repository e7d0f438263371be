// Class by class, the weakest first; and the classes that are taken for each other.
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { count, percent } from "../kit/format";
import { Card, Whisker } from "../kit/parts";
import { Table } from "../kit/Table";

type Row = Shapes["ClassMetrics"];

export function Classes({ rows }: { rows: Row[] }) {
  const { t } = useTranslation();
  const figure = (key: "precision" | "recall" | "f1") => ({
    title: t(`metric.${key}`),
    key,
    sorter: (a: Row, b: Row) => a[key].value - b[key].value,
    render: (_: unknown, row: Row) =>
      row.n_examples === 0 ? (
        "–"
      ) : (
        <span className="cell num" title={t("interval", { low: percent(row[key].low), high: percent(row[key].high) })}>
          {percent(row[key].value)}
          <Whisker of={row[key]} />
        </span>
      ),
  });
  return (
    <Card flush title={t("report.classes")} note={t("report.classes.note")}>
      <Table<Row>
        label={t("report.classes")}
        rowKey="label"
        dataSource={[...rows].sort((a, b) => a.f1.value - b.f1.value)}
        pagination={rows.length > 12 ? { pageSize: 12, showSizeChanger: false } : false}
        showSorterTooltip={false}
        columns={[
          {
            title: t("report.class"),
            dataIndex: "label",
            key: "label",
            sorter: (a, b) => a.label.localeCompare(b.label),
          },
          {
            title: t("report.examples"),
            key: "n",
            align: "right",
            sorter: (a, b) => a.n_examples - b.n_examples,
            render: (_, row) => <span className="num">{count(row.n_examples)}</span>,
          },
          figure("precision"),
          figure("recall"),
          figure("f1"),
        ]}
      />
    </Card>
  );
}

const SHOWN = 8;

export function Confused({ pairs }: { pairs: Shapes["ConfusedPair"][] }) {
  const { t } = useTranslation();
  const most = Math.max(...pairs.map((pair) => pair.count));
  return (
    <Card title={t("report.confused")} note={t("report.confused.note")}>
      <ol className="confused">
        {pairs.slice(0, SHOWN).map((pair) => (
          <li key={`${pair.gold}>${pair.predicted}`}>
            <span>
              {pair.gold} <span className="quiet">→</span> {pair.predicted}
            </span>
            <b className="num">{count(pair.count)}</b>
            <i style={{ width: `${(pair.count / most) * 100}%` }} />
          </li>
        ))}
      </ol>
    </Card>
  );
}
