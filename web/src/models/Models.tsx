// Every model a turn sealed, which of them answers, and the log of who decided so.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useName } from "../app/Shell";
import type { Shapes } from "../api/client";
import { useModels, useReleases } from "../api/verbs";
import { decimal, percent, when } from "../kit/format";
import { Button, Card, Empty, Given, Page, Pill, Twin } from "../kit/parts";
import { Table } from "../kit/Table";
import { Ending } from "../releases/Ending";
import { Log } from "../releases/Log";
import { Promote } from "../releases/Promote";
import { Traffic } from "../releases/Traffic";
import "./models.css";

export default function Models() {
  const { t } = useTranslation();
  const name = useName();
  const releases = useReleases(name);
  const [isBack, setBack] = useState(false);
  return (
    <Page
      title={t("models.title")}
      lead={t("models.lead")}
      action={
        (releases.data?.filter((row) => row.action === "promote").length ?? 0) > 1 && (
          <Button onClick={() => setBack(true)}>{t("release.rollback")}</Button>
        )
      }
    >
      <Traffic name={name} />
      <Given of={useModels(name)}>
        {(rows) =>
          rows.length ? (
            <List name={name} rows={rows} />
          ) : (
            <Empty title={t("models.none.title")} action={<code>feilun turn {name}</code>}>
              {t("models.none.text")}
            </Empty>
          )
        }
      </Given>
      <Given of={releases}>
        {(rows) =>
          rows.length > 0 && (
            <Card title={t("release.log")} note={t("release.log.note")}>
              <Log rows={rows} name={name} />
            </Card>
          )
        }
      </Given>
      <Twin
        cli={`feilun model list ${name}\nfeilun release list ${name}`}
        api={`GET /v1/projects/${name}/models\nGET /v1/projects/${name}/releases`}
      />
      <Ending name={name} action="rollback" open={isBack} onClose={() => setBack(false)} />
    </Page>
  );
}

function List({ name, rows }: { name: string; rows: Shapes["ModelRow"][] }) {
  const { t } = useTranslation();
  const [chosen, choose] = useState<string | null>(null);
  return (
    <>
      <Card flush>
        <Table<Shapes["ModelRow"]>
          label={t("models.title")}
          rowKey="model_id"
          dataSource={rows}
          pagination={rows.length > 20 ? { pageSize: 20 } : false}
          columns={[
            {
              title: t("models.model"),
              key: "model",
              render: (_, row) => (
                <Link className="mono" to={row.model_id}>
                  {row.model_id}
                </Link>
              ),
            },
            {
              title: <span className="sr">{t("models.state")}</span>,
              key: "state",
              render: (_, row) => row.is_champion && <Pill tone="accent">{t("models.champion")}</Pill>,
            },
            {
              title: t("metric.accuracy"),
              key: "accuracy",
              align: "right",
              render: (_, row) => <span className="num">{share(row.metrics["accuracy"])}</span>,
            },
            {
              title: t("metric.macro_f1"),
              key: "f1",
              align: "right",
              render: (_, row) => <span className="num">{share(row.metrics["macro_f1"])}</span>,
            },
            {
              title: t("models.size"),
              key: "size",
              align: "right",
              render: (_, row) => <span className="num">{t("unit.mb", { n: decimal(row.size_mb) })}</span>,
            },
            {
              title: t("models.made"),
              key: "made",
              render: (_, row) => <span className="nowrap">{when(row.created_at)}</span>,
            },
            {
              title: <span className="sr">{t("models.do")}</span>,
              key: "do",
              align: "right",
              render: (_, row) => (
                <span className="row models-do">
                  <Beside rows={rows} row={row} />
                  {!row.is_champion && (
                    <Button size="small" onClick={() => choose(row.model_id)}>
                      {t("release.promote")}
                    </Button>
                  )}
                </span>
              ),
            },
          ]}
        />
      </Card>
      <Promote name={name} modelId={chosen} onClose={() => choose(null)} />
    </>
  );
}

/** The way to a model beside the champion, or beside the one made before it; the older of the two is the old one. */
function Beside({ rows, row }: { rows: Shapes["ModelRow"][]; row: Shapes["ModelRow"] }) {
  const { t } = useTranslation();
  const at = rows.indexOf(row); // the latest is the first
  const champion = rows.findIndex((one) => one.is_champion);
  const other = champion === -1 ? at + 1 : champion;
  const [newer, older] = [rows[Math.min(at, other)], rows[Math.max(at, other)]];
  if (!newer || !older || newer === older) return null;
  return <Link to={`${older.model_id}/compare/${newer.model_id}`}>{t("compare.models")}</Link>;
}

const share = (value: number | undefined): string => (value === undefined ? "–" : percent(value));
