// What works or waits now, over every project that one may see.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Shapes } from "../api/client";
import { useCancelJob, useJobs } from "../api/operate";
import { useMay } from "../api/session";
import { when } from "../kit/format";
import { Button, Card, Empty, Given, Page, Pill, Twin } from "../kit/parts";
import { Table } from "../kit/Table";
import { Confirm } from "./Confirm";

type Job = Shapes["JobRow"];
const TONES = { running: "accent", waiting: "", paused: "warn" } as const;

export default function Jobs() {
  const { t } = useTranslation();
  return (
    <Page title={t("jobs.title")} lead={t("jobs.lead")}>
      <Given of={useJobs()}>
        {(rows) =>
          rows.length ? <List rows={rows} /> : <Empty title={t("jobs.none.title")}>{t("jobs.none.text")}</Empty>
        }
      </Given>
      <Twin cli="feilun job now" api="GET /v1/jobs" />
    </Page>
  );
}

function List({ rows }: { rows: Job[] }) {
  const { t } = useTranslation();
  const cancel = useCancelJob();
  const mayCancel = useMay("admin");
  const [asked, ask] = useState<Job | null>(null);
  const done = () => {
    ask(null);
    cancel.reset();
  };
  return (
    <>
      <Card flush>
        <Table<Job>
          label={t("jobs.title")}
          rowKey={(row) => `${row.project} ${row.kind} ${row.job_id}`}
          dataSource={rows}
          columns={[
            { title: t("jobs.what"), key: "what", render: (_, row) => <What of={row} /> },
            {
              title: t("people.state"),
              key: "state",
              render: (_, row) => <Pill tone={TONES[row.state]}>{t(`jobs.${row.state}`)}</Pill>,
            },
            {
              title: t("jobs.step"),
              key: "step",
              render: (_, row) =>
                row.step && (
                  <>
                    {t(`step.${row.step}`, { defaultValue: row.step })}
                    {row.heard_at && <div className="small quiet nowrap">{when(row.heard_at)}</div>}
                  </>
                ),
            },
            {
              title: t("jobs.by"),
              key: "by",
              render: (_, row) => (
                <>
                  {t(`by.${row.by}`, { defaultValue: row.by })}
                  {row.note && <div className="small quiet">{row.note}</div>}
                </>
              ),
            },
            {
              title: t("jobs.since"),
              key: "since",
              render: (_, row) => <span className="nowrap">{when(row.since)}</span>,
            },
            {
              title: <span className="sr">{t("models.do")}</span>,
              key: "do",
              align: "right",
              className: "do",
              render: (_, row) =>
                row.may_cancel &&
                mayCancel && (
                  <Button size="small" danger onClick={() => ask(row)}>
                    {t("turn.cancel")}
                  </Button>
                ),
            },
          ]}
        />
      </Card>
      <Confirm
        open={asked !== null}
        title={t("turn.cancel")}
        text={asked ? t("jobs.cancel.text", { name: asked.project }) : ""}
        word={t("turn.cancel")}
        error={cancel.error}
        isBusy={cancel.isPending}
        twin={{
          cli: `feilun job cancel ${asked?.project}`,
          api: `POST /v1/projects/${asked?.project}/turns/${asked?.job_id}/cancel`,
        }}
        onYes={() => asked && cancel.mutate(asked, { onSuccess: done })}
        onClose={done}
      />
    </>
  );
}

/** What it is, and where one sees more of it. */
function What({ of }: { of: Job }) {
  const { t } = useTranslation();
  const project = `/projects/${encodeURIComponent(of.project)}`;
  const to =
    of.kind === "backup" ? "/settings/backup" : of.kind === "compression" ? `${project}/models` : `${project}/turns`;
  return (
    <>
      <Link to={of.kind === "turn" ? `${to}/${of.job_id}` : to}>{t(`jobs.kind.${of.kind}`)}</Link>
      <div className="small quiet">{of.project || t("jobs.workspace")}</div>
    </>
  );
}
