// What training tried, each with its cross-validated score and what it cost.
import { useTranslation } from "react-i18next";
import { percent, seconds } from "../kit/format";
import { Card, Pill } from "../kit/parts";
import { Table } from "../kit/Table";
import type { Candidate } from "./view";

export function Leaderboard({ rows, chosen }: { rows: Candidate[]; chosen: Candidate | undefined }) {
  const { t, i18n } = useTranslation();
  const shown = rows.map((row, i) => ({
    ...row,
    key: i,
    isChosen: !!chosen && chosen.method === row.method && JSON.stringify(chosen.params) === JSON.stringify(row.params),
  }));
  shown.sort((a, b) => (b.validation?.["accuracy"] ?? -1) - (a.validation?.["accuracy"] ?? -1));
  return (
    <Card flush title={t("board.title")} note={t("board.note")}>
      <Table<(typeof shown)[number]>
        label={t("board.title")}
        rowKey="key"
        dataSource={shown}
        columns={[
          {
            title: t("board.candidate"),
            key: "method",
            render: (_, row) => (
              <span className="candidate">
                <b>{t(`method.${row.method}`, { defaultValue: row.method })}</b>{" "}
                {row.isChosen && <Pill tone="accent">{t("board.chosen")}</Pill>}
                <span className="mono quiet">{paramsOf(row)}</span>
                <span className="quiet small">{i18n.language === "zh" ? row.note_zh : row.note_en}</span>
              </span>
            ),
          },
          {
            title: t("metric.accuracy"),
            key: "accuracy",
            align: "right",
            render: (_, row) => (
              <span className="num">
                {row.validation?.["accuracy"] === undefined ? "–" : percent(row.validation["accuracy"])}
              </span>
            ),
          },
          {
            title: t("board.cpu"),
            key: "cpu",
            align: "right",
            render: (_, row) => (
              <span className="num">
                {row.status === "done" ? seconds(row.cpu_s ?? 0) : t(`candidate.${row.status}`)}
              </span>
            ),
          },
        ]}
      />
    </Card>
  );
}

const paramsOf = (row: Candidate): string =>
  Object.entries(row.params ?? {})
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join(" ");
