// The feedback log, latest first.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { readFeedback } from "../api/verbs";
import { when } from "../kit/format";
import { Button, Card, Given, Pill } from "../kit/parts";
import { Table } from "../kit/Table";
import { textOf } from "../queue/outbox";

export function Feedback({ name }: { name: string }) {
  const { t } = useTranslation();
  const pages = useInfiniteQuery({
    queryKey: [name, "feedback"],
    queryFn: ({ pageParam }) => readFeedback(name, pageParam),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next_before,
  });
  return (
    <Card flush title={t("feedback.title")} note={t("feedback.note")}>
      <Given of={pages}>
        {({ pages: read }) => {
          const rows = read.flatMap((page) => page.feedback);
          if (rows.length === 0) return <p className="quiet feedback-none">{t("feedback.none")}</p>;
          return (
            <>
              <Table<Shapes["FeedbackRow"]>
                label={t("feedback.title")}
                rowKey="feedback_id"
                dataSource={rows}
                pagination={{ pageSize: 20, showSizeChanger: false, hideOnSinglePage: true }}
                columns={[
                  {
                    title: t("feedback.message"),
                    key: "text",
                    render: (_, row) => <span className="feedback-text">{textOf(row)}</span>,
                  },
                  { title: t("feedback.said"), key: "said", render: (_, row) => <Said row={row} /> },
                  { title: t("feedback.actor"), dataIndex: "actor", key: "actor" },
                  {
                    title: t("feedback.when"),
                    key: "when",
                    render: (_, row) => <span className="nowrap quiet">{when(row.created_at)}</span>,
                  },
                ]}
              />
              {pages.hasNextPage && (
                <Button
                  className="feedback-more"
                  loading={pages.isFetchingNextPage}
                  onClick={() => void pages.fetchNextPage()}
                >
                  {t("feedback.more")}
                </Button>
              )}
            </>
          );
        }}
      </Given>
    </Card>
  );
}

function Said({ row }: { row: Shapes["FeedbackRow"] }) {
  const { t } = useTranslation();
  return (
    <span className="stack tight">
      {row.labels && <span>{row.labels.join(", ")}</span>}
      {row.thumb && <Pill tone={row.thumb === "up" ? "good" : "bad"}>{t(`thumb.${row.thumb}`)}</Pill>}
      {row.comment && <span className="quiet">{row.comment}</span>}
    </span>
  );
}
