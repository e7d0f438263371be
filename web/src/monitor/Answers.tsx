// The messages behind the figures: what was answered, of a label or of a reason, latest first.
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { useAnswers, type Reason } from "../api/verbs";
import { percent, when } from "../kit/format";
import { Button, Card, Given, Select, Twin } from "../kit/parts";
import { Table } from "../kit/Table";
import { textOf } from "../queue/outbox";

export const REASONS: Reason[] = ["confident", "unsure", "out_of_scope", "memory"];
export type Wanted = { label?: string; reason?: Reason };

export function Answers(props: { name: string; labels: string[]; wanted: Wanted; onWant: (wanted: Wanted) => void }) {
  const { t } = useTranslation();
  const { name, labels, wanted, onWant } = props;
  const pages = useAnswers(name, wanted);
  const query = new URLSearchParams(wanted).toString();
  const options = Object.entries(wanted).map(([key, value]) => ` --${key} ${value}`);
  return (
    <Card title={t("answers.title")} note={t("answers.note")}>
      <div className="stack" id="answers">
        <div className="row">
          <Select
            aria-label={t("monitor.label")}
            value={wanted.label ?? ""}
            showSearch
            popupMatchSelectWidth={false}
            onChange={(label: string) => onWant({ ...without(wanted, "label"), ...(label ? { label } : {}) })}
            options={[
              { value: "", label: t("answers.any_label") },
              ...labels.map((one) => ({ value: one, label: one })),
            ]}
          />
          <Select
            aria-label={t("answers.reason")}
            value={wanted.reason ?? ""}
            popupMatchSelectWidth={false}
            onChange={(reason: Reason | "") => onWant({ ...without(wanted, "reason"), ...(reason ? { reason } : {}) })}
            options={[
              { value: "" as const, label: t("answers.any_reason") },
              ...REASONS.map((one) => ({ value: one, label: t(`reason.${one}`) })),
            ]}
          />
        </div>
        <Given of={pages}>
          {({ pages: read }) => {
            const rows = read.flatMap((page) => page.answers);
            if (rows.length === 0) return <p className="quiet">{t("answers.none")}</p>;
            return (
              <>
                <Table<Shapes["AnswerRow"]>
                  label={t("answers.title")}
                  rowKey="prediction_id"
                  dataSource={rows}
                  columns={[
                    { title: t("feedback.message"), key: "text", render: (_, row) => textOf(row) },
                    { title: t("monitor.label"), key: "labels", render: (_, row) => row.labels.join(", ") },
                    {
                      title: t("monitor.confidence"),
                      key: "confidence",
                      align: "right",
                      render: (_, row) => <span className="num">{percent(row.confidence, 0)}</span>,
                    },
                    { title: t("answers.reason"), key: "reason", render: (_, row) => t(`reason.${row.reason}`) },
                    {
                      title: t("feedback.when"),
                      key: "when",
                      render: (_, row) => <span className="nowrap quiet">{when(row.created_at)}</span>,
                    },
                  ]}
                />
                {pages.hasNextPage && (
                  <Button loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
                    {t("feedback.more")}
                  </Button>
                )}
              </>
            );
          }}
        </Given>
        <Twin
          cli={`feilun answers ${name}${options.join("")}`}
          api={`GET /v1/projects/${name}/answers${query && `?${query}`}`}
        />
      </div>
    </Card>
  );
}

function without(wanted: Wanted, key: keyof Wanted): Wanted {
  const rest = { ...wanted };
  delete rest[key];
  return rest;
}
