// The snapshots that turns learnt from, and what changed from one to another. The address says which two.
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Shapes } from "../api/client";
import { useDatasets } from "../api/datasets";
import { useAddress } from "../app/address";
import { useName } from "../app/Shell";
import { count, when } from "../kit/format";
import { Button, Card, Empty, Given, Page, Select, Twin } from "../kit/parts";
import { Table } from "../kit/Table";
import { Changes } from "./Changes";
import "./data.css";

type Row = Shapes["DatasetRow"];

export default function Snapshots() {
  const { t } = useTranslation();
  const name = useName();
  const [address, change] = useAddress();
  return (
    <Page title={t("snap.title")} lead={t("snap.lead")}>
      <p className="back">
        <Link to={`/projects/${encodeURIComponent(name)}/data`}>← {t("data.title")}</Link>
      </p>
      <Given of={useDatasets(name)}>
        {(rows) => {
          const [first] = rows;
          if (!first) return <Empty title={t("snap.none.title")}>{t("snap.none.text")}</Empty>;
          const id = rows.find((one) => one.dataset_id === address.get("dataset"))?.dataset_id ?? first.dataset_id;
          const base = rows.find((one) => one.dataset_id === address.get("base"))?.dataset_id ?? null;
          return (
            <>
              <List rows={rows} shown={id} onShow={(chosen) => change({ dataset: chosen, base: undefined })} />
              <Pair rows={rows} id={id} base={base} onSet={change} />
              <Changes key={`${id} ${base}`} name={name} id={id} base={base} />
              <Twin
                cli={`feilun data show ${name}\nfeilun data changes ${name} --dataset ${id}${base ? ` --base ${base}` : ""}`}
                api={`GET /v1/projects/${name}/datasets/${id}/changes${base ? `?base_id=${base}` : ""}`}
              />
            </>
          );
        }}
      </Given>
    </Page>
  );
}

function List({ rows, shown, onShow }: { rows: Row[]; shown: string; onShow: (id: string) => void }) {
  const { t } = useTranslation();
  const figure = (title: string, of: (row: Row) => number | null) => ({
    title: <span className="nowrap">{title}</span>,
    key: title,
    align: "right" as const,
    className: "num",
    render: (_: unknown, row: Row) => count(of(row) ?? 0),
  });
  return (
    <Card flush>
      <Table<Row>
        label={t("snap.title")}
        rowKey="dataset_id"
        dataSource={rows}
        columns={[
          {
            title: t("snap.of"),
            key: "of",
            render: (_, row) => (
              <>
                <span className="nowrap">{when(row.created_at)}</span>
                <div className="mono small quiet">{row.dataset_id}</div>
              </>
            ),
          },
          figure(t("snap.train"), (row) => row.n_train),
          figure(t("snap.holdout"), (row) => row.n_holdout),
          figure(t("snap.unlabelled"), (row) => row.n_unlabelled),
          figure(t("snap.classes"), (row) => row.n_classes),
          figure(t("snap.turns"), (row) => row.turn_ids.length),
          {
            title: <span className="sr">{t("models.do")}</span>,
            key: "do",
            align: "right",
            render: (_, row) =>
              row.n_train === null ? (
                <span className="small quiet">{t("snap.gone")}</span>
              ) : (
                <Button size="small" disabled={row.dataset_id === shown} onClick={() => onShow(row.dataset_id)}>
                  {t("snap.compare")}
                </Button>
              ),
          },
        ]}
      />
    </Card>
  );
}

function Pair(props: {
  rows: Row[];
  id: string;
  base: string | null;
  onSet: (changes: Record<string, string | undefined>) => void;
}) {
  const { t } = useTranslation();
  const { rows, id, base, onSet } = props;
  const place = rows.findIndex((one) => one.dataset_id === id);
  const before = rows[place + 1]?.dataset_id ?? null;
  const chosen = base ?? before;
  const others = rows.filter((one) => one.dataset_id !== id && one.n_train !== null);
  return (
    <div className="row">
      <p>
        {t("snap.of")} <code>{id}</code>
      </p>
      <span className="quiet">{t("snap.base")}</span>
      {chosen === null ? (
        <span>{t("snap.first")}</span>
      ) : (
        <Select<string>
          aria-label={t("snap.base")}
          value={chosen}
          onChange={(other) => onSet({ dataset: id, base: other })}
          options={others.map((one) => ({
            value: one.dataset_id,
            label: `${when(one.created_at)} · ${one.dataset_id}`,
          }))}
          popupMatchSelectWidth={false}
        />
      )}
    </div>
  );
}
