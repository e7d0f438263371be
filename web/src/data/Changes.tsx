// What is otherwise in one snapshot than in another: counts, classes, and the rows.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { useDatasetChanges, type ChangeKind } from "../api/datasets";
import { count } from "../kit/format";
import { Button, Card, Fact, Given, Pill, Segmented } from "../kit/parts";
import { Table } from "../kit/Table";
import { textOf } from "../queue/outbox";

type Reply = Shapes["DatasetChangesReply"];
type Row = Shapes["RowChangeShape"];
const KINDS: ChangeKind[] = ["added", "removed", "relabelled", "moved"];
const TONES = { added: "good", removed: "bad", relabelled: "warn", moved: "" } as const;

export function Changes({ name, id, base }: { name: string; id: string; base: string | null }) {
  const { t } = useTranslation();
  const [kind, choose] = useState<ChangeKind | null>(null);
  const all = useDatasetChanges(name, id, base, null);
  const some = useDatasetChanges(name, id, base, kind);
  return (
    <Given of={all}>
      {({ pages }) => {
        const of = pages[0] as Reply;
        return (
          <>
            <div className="metrics">
              {KINDS.map((one) => (
                <Fact
                  key={one}
                  label={t(`snap.${one}`)}
                  value={count(of.counts[one])}
                  note={one === "moved" ? t("snap.moved.note") : undefined}
                />
              ))}
            </div>
            <Classes rows={of.classes.filter((one) => one.n_before !== one.n_after)} />
            <Card flush title={t("snap.rows")}>
              <div className="snap-kinds">
                <Segmented<ChangeKind | "all">
                  aria-label={t("snap.rows")}
                  value={kind ?? "all"}
                  onChange={(chosen) => choose(chosen === "all" ? null : chosen)}
                  options={[
                    { value: "all", label: t("snap.all") },
                    ...KINDS.map((one) => ({ value: one, label: t(`snap.${one}`) })),
                  ]}
                />
              </div>
              <Given of={some}>{(found) => <Rows rows={found.pages.flatMap((page) => page.rows)} />}</Given>
              {some.hasNextPage && (
                <Button
                  className="feedback-more"
                  loading={some.isFetchingNextPage}
                  onClick={() => void some.fetchNextPage()}
                >
                  {t("snap.more")}
                </Button>
              )}
            </Card>
          </>
        );
      }}
    </Given>
  );
}

function Classes({ rows }: { rows: Reply["classes"] }) {
  const { t } = useTranslation();
  if (!rows.length) return <p className="quiet">{t("snap.same")}</p>;
  const figure = (title: string, of: (row: Reply["classes"][number]) => string) => ({
    title,
    key: title,
    align: "right" as const,
    className: "num",
    render: (_: unknown, row: Reply["classes"][number]) => of(row),
  });
  return (
    <Card flush title={t("snap.grown")}>
      <Table
        label={t("snap.grown")}
        rowKey="label"
        dataSource={rows}
        pagination={rows.length > 10 ? { pageSize: 10, showSizeChanger: false } : false}
        columns={[
          { title: t("snap.label"), dataIndex: "label", key: "label" },
          figure(t("snap.before"), (row) => count(row.n_before)),
          figure(t("snap.now"), (row) => count(row.n_after)),
          figure(
            t("snap.by"),
            (row) => `${row.n_after > row.n_before ? "+" : "−"}${count(Math.abs(row.n_after - row.n_before))}`,
          ),
        ]}
      />
    </Card>
  );
}

function Rows({ rows }: { rows: Row[] }) {
  const { t } = useTranslation();
  if (!rows.length) return <p className="quiet feedback-none">{t("snap.rows.none")}</p>;
  const split = (one: Row["new_split"]) => one && t(`split.${one}`);
  return (
    <Table<Row>
      label={t("snap.rows")}
      rowKey="example_id"
      dataSource={rows}
      columns={[
        {
          title: t("snap.message"),
          key: "text",
          render: (_, row) => <span className="feedback-text">{textOf(row)}</span>,
        },
        {
          title: t("snap.by"),
          key: "kind",
          render: (_, row) => <Pill tone={TONES[row.kind]}>{t(`snap.${row.kind}`)}</Pill>,
        },
        {
          title: t("snap.label"),
          key: "label",
          render: (_, row) => step((row.old_labels ?? []).join(", "), (row.new_labels ?? []).join(", ")),
        },
        {
          title: t("snap.split"),
          key: "split",
          render: (_, row) => step(split(row.old_split), split(row.new_split)),
        },
      ]}
    />
  );
}

/** From what to what; one of them where there is one, or where they are the same. */
const step = (old: string | null, now: string | null): string =>
  old && now && old !== now ? `${old} → ${now}` : now || old || "–";
