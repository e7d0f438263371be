// Who changed what, latest first; the place in the log is in the address.
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import type { Shapes } from "../api/client";
import { useSession } from "../api/session";
import { AUDIT_PAGE, useAudit, useVerifyAudit } from "../api/settings";
import { useProjects } from "../api/verbs";
import { when } from "../kit/format";
import { Button, Card, Empty, Given, Page, Select, Trouble, Twin } from "../kit/parts";
import { Table } from "../kit/Table";

type Row = Shapes["AuditRow"];

export default function Audit() {
  const { t } = useTranslation();
  const [asked, ask] = useSearchParams();
  const before = Number(asked.get("before") ?? 0) || null;
  const project = asked.get("project");
  const projects = useProjects().data ?? [];
  const go = (to: number | null, of = project) =>
    ask({ ...(to ? { before: String(to) } : {}), ...(of ? { project: of } : {}) });
  return (
    <Page title={t("audit.title")} lead={t("audit.lead")} action={<Verify />}>
      <div className="row between">
        <Select
          aria-label={t("nav.project")}
          value={project ?? ""}
          onChange={(chosen) => go(null, chosen || null)}
          options={[
            { value: "", label: t("audit.everything") },
            ...projects.map((one) => ({ value: one.name, label: one.name })),
          ]}
          popupMatchSelectWidth={false}
        />
        {before && <Button onClick={() => go(null)}>{t("audit.latest")}</Button>}
      </div>
      <Given of={useAudit(before, project)}>
        {(page) =>
          page.audit.length ? (
            <>
              <Entries rows={page.audit} />
              {page.next_before !== null && (
                <div className="row">
                  <Button onClick={() => go(page.next_before)}>{t("audit.earlier", { n: AUDIT_PAGE })}</Button>
                </div>
              )}
            </>
          ) : (
            <Empty title={t("audit.none.title")}>{t("audit.none.text")}</Empty>
          )
        }
      </Given>
      <Twin cli="feilun audit list" api={`GET /v1/audit?latest=true${before ? `&before=${before}` : ""}`} />
    </Page>
  );
}

function Entries({ rows }: { rows: Row[] }) {
  const { t } = useTranslation();
  return (
    <Card flush>
      <Table<Row>
        label={t("audit.title")}
        rowKey="seq"
        size="small"
        dataSource={rows}
        columns={[
          {
            title: <span className="nowrap">{t("audit.seq")}</span>,
            dataIndex: "seq",
            align: "right",
            className: "num",
          },
          { title: t("audit.at"), key: "at", render: (_, row) => <span className="nowrap">{when(row.at)}</span> },
          { title: t("audit.actor"), dataIndex: "actor" },
          { title: t("audit.action"), key: "action", render: (_, row) => <span className="mono">{row.action}</span> },
          {
            title: t("audit.subject"),
            key: "subject",
            render: (_, row) => <span className="mono">{row.subject}</span>,
          },
          { title: t("nav.project"), dataIndex: "project" },
          {
            title: t("audit.details"),
            key: "details",
            render: (_, row) => <span className="mono small quiet">{said(row.details)}</span>,
          },
        ]}
      />
    </Card>
  );
}

/** The details that say something. */
const said = (details: Row["details"]): string =>
  Object.entries(details)
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");

/** Whether the chain is whole: the operator's to ask, as it is of the whole workspace. */
function Verify() {
  const { t } = useTranslation();
  const verify = useVerifyAudit();
  if (!useSession().data?.is_operator) return null;
  const verdict = verify.data;
  return (
    <div className="stack tight">
      <Button loading={verify.isPending} onClick={() => verify.mutate()}>
        {t("audit.verify")}
      </Button>
      {verify.error && <Trouble error={verify.error} />}
      {verdict && (
        <p role="status" className={verdict.is_whole ? "small" : "bad small"}>
          {verdict.is_whole
            ? t("audit.whole", { count: verdict.n_entries })
            : t("audit.broken", { count: verdict.n_faults })}
        </p>
      )}
    </div>
  );
}
