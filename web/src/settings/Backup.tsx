// What there is to back up, what is kept of it, how it comes back, and whether everything is in order.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { fetchBackup, useBackups, useMakeBackup, useRemoveBackup } from "../api/operate";
import { bytes, when } from "../kit/format";
import { Button, Card, Code, Empty, Fact, Given, Page, Pill, Trouble, Twin } from "../kit/parts";
import { Table } from "../kit/Table";
import { Confirm } from "./Confirm";
import { Doctor } from "./Doctor";

type Row = Shapes["BackupRow"];
const TONES = { running: "accent", done: "good", failed: "bad" } as const;

export default function Backup() {
  const { t } = useTranslation();
  const make = useMakeBackup();
  const backups = useBackups();
  const isBusy = backups.data?.backups.some((one) => one.state === "running") ?? false;
  return (
    <Page
      title={t("backup.title")}
      lead={t("backup.lead")}
      action={
        <Button
          type="primary"
          loading={make.isPending || isBusy}
          disabled={!backups.data}
          onClick={() => make.mutate()}
        >
          {isBusy ? t("backup.busy") : t("backup.make")}
        </Button>
      }
    >
      {make.error && <Trouble error={make.error} />}
      <Given of={backups}>
        {({ backups: rows, size }) => (
          <>
            <Size of={size} />
            {rows.length ? (
              <Kept rows={rows} most={size.most_kept} />
            ) : (
              <Empty title={t("backup.none.title")}>{t("backup.none.text")}</Empty>
            )}
            <Restore id={rows.find((one) => one.state === "done")?.backup_id} isPostgres={size.is_postgres} />
          </>
        )}
      </Given>
      <Doctor />
      <Twin
        cli={"feilun backups keep\nfeilun backups list\nfeilun backup FILE\nfeilun doctor"}
        api={"POST /v1/backups\nGET /v1/backups\nGET /v1/backups/BACKUP/archive\nGET /v1/doctor"}
      />
    </Page>
  );
}

function Size({ of }: { of: Shapes["BackupSize"] }) {
  const { t } = useTranslation();
  const whole = of.database + of.models + of.datasets + of.projects;
  return (
    <div className="metrics">
      <Fact label={t("backup.whole")} value={bytes(whole)} note={t("backup.left", { size: bytes(of.disk_left) })} />
      <Fact label={t("backup.database")} value={bytes(of.database)} note={of.is_postgres ? "PostgreSQL" : "SQLite"} />
      <Fact label={t("backup.models")} value={bytes(of.models)} />
      <Fact label={t("backup.data")} value={bytes(of.datasets + of.projects)} note={t("backup.data.note")} />
    </div>
  );
}

function Kept({ rows, most }: { rows: Row[]; most: number }) {
  const { t, i18n } = useTranslation();
  const remove = useRemoveBackup();
  const [asked, ask] = useState<Row | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const done = () => {
    ask(null);
    remove.reset();
  };
  const save = (id: string) => {
    setTrouble(null);
    void fetchBackup(id).catch(setTrouble);
  };
  return (
    <>
      {trouble ? <Trouble error={trouble} /> : null}
      <Card flush title={t("backup.kept")} note={t("backup.kept.note", { count: most })}>
        <Table<Row>
          label={t("backup.kept")}
          rowKey="backup_id"
          dataSource={rows}
          columns={[
            {
              title: t("backup.at"),
              key: "at",
              render: (_, row) => (
                <>
                  <span className="nowrap">{when(row.created_at)}</span>
                  <div className="small quiet">{row.actor}</div>
                </>
              ),
            },
            {
              title: t("people.state"),
              key: "state",
              render: (_, row) => (
                <>
                  <Pill tone={TONES[row.state]}>{t(`status.${row.state}`)}</Pill>
                  {row.state === "failed" && <p className="small bad">{i18n.language === "zh" ? row.zh : row.en}</p>}
                  {row.left_out.length > 0 && (
                    <p className="small warn">{t("backup.left_out", { names: row.left_out.join(", ") })}</p>
                  )}
                </>
              ),
            },
            {
              title: t("backup.size"),
              key: "size",
              align: "right",
              className: "num",
              render: (_, row) => <span className="nowrap">{row.size ? bytes(row.size) : "–"}</span>,
            },
            {
              title: "SHA-256",
              key: "sha256",
              render: (_, row) => <span className="mono small quiet sum">{row.sha256 || "–"}</span>,
            },
            {
              title: <span className="sr">{t("models.do")}</span>,
              key: "do",
              align: "right",
              className: "do",
              render: (_, row) =>
                row.state !== "running" && (
                  <div className="row">
                    {row.state === "done" && (
                      <Button size="small" onClick={() => save(row.backup_id)}>
                        {t("backup.fetch")}
                      </Button>
                    )}
                    <Button size="small" danger onClick={() => ask(row)}>
                      {t("backup.remove")}
                    </Button>
                  </div>
                ),
            },
          ]}
        />
      </Card>
      <Confirm
        open={asked !== null}
        title={t("backup.remove.title")}
        text={asked ? t("backup.remove.text", { at: when(asked.created_at) }) : ""}
        word={t("backup.remove")}
        error={remove.error}
        isBusy={remove.isPending}
        twin={{
          cli: `feilun backups remove ${asked?.backup_id}`,
          api: `DELETE /v1/backups/${asked?.backup_id}`,
        }}
        onYes={() => asked && remove.mutate(asked.backup_id, { onSuccess: done })}
        onClose={done}
      />
    </>
  );
}

/** Not from here: it makes another workspace, which somebody looks at before it takes the place of this one. */
function Restore({ id, isPostgres }: { id: string | undefined; isPostgres: boolean }) {
  const { t } = useTranslation();
  const file = `feilun-${id ?? "BACKUP"}.zip`;
  const database = isPostgres ? " --url postgresql://USER@HOST/DATABASE" : "";
  return (
    <Card title={t("backup.restore")}>
      <div className="stack">
        <p>{t("backup.restore.text")}</p>
        <Code text={`feilun restore ${file} restored${database}\nfeilun doctor restored`} />
        <p className="quiet small">{t(isPostgres ? "backup.postgres" : "backup.care")}</p>
      </div>
    </Card>
  );
}
