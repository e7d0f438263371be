// Customers or teams that share the server and never see each other: the operator's business alone.
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { useAddTenant, useChangeTenant, useTenants } from "../api/settings";
import { when } from "../kit/format";
import { Button, Card, Given, Input, Page, Pill, Sheet, Trouble, Twin } from "../kit/parts";
import { Table } from "../kit/Table";
import { Confirm } from "./Confirm";

type Tenant = Shapes["TenantRow"];

export default function Tenants() {
  const { t } = useTranslation();
  const [isAdding, setAdding] = useState(false);
  const add = (
    <Button type="primary" onClick={() => setAdding(true)}>
      {t("tenants.add")}
    </Button>
  );
  return (
    <Page title={t("tenants.title")} lead={t("tenants.lead")} action={add}>
      <Given of={useTenants()}>{(rows) => <List rows={rows} />}</Given>
      <Add open={isAdding} onClose={() => setAdding(false)} />
    </Page>
  );
}

function List({ rows }: { rows: Tenant[] }) {
  const { t } = useTranslation();
  const change = useChangeTenant();
  const [asked, ask] = useState<Tenant | null>(null);
  const done = () => {
    ask(null);
    change.reset();
  };
  return (
    <>
      <Card flush>
        <Table<Tenant>
          label={t("tenants.title")}
          rowKey="tenant"
          dataSource={rows}
          rowClassName={(row) => (row.disabled_at ? "over" : "")}
          columns={[
            {
              title: t("people.tenant"),
              key: "name",
              render: (_, row) => (
                <>
                  {row.name}
                  <div className="mono small quiet">{row.tenant}</div>
                </>
              ),
            },
            { title: t("tenants.projects"), key: "projects", render: (_, row) => row.projects.join(", ") || "–" },
            { title: t("models.made"), key: "made", render: (_, row) => when(row.created_at) },
            {
              title: t("people.state"),
              key: "state",
              render: (_, row) =>
                row.disabled_at ? (
                  <Pill tone="bad">{t("people.is_disabled")}</Pill>
                ) : (
                  <Pill tone="good">{t("tenants.is_open")}</Pill>
                ),
            },
            {
              title: <span className="sr">{t("models.do")}</span>,
              key: "do",
              align: "right",
              render: (_, row) =>
                row.disabled_at ? (
                  <Button size="small" onClick={() => change.mutate({ id: row.tenant, is_disabled: false })}>
                    {t("people.enable")}
                  </Button>
                ) : (
                  <Button size="small" danger onClick={() => ask(row)}>
                    {t("people.disable")}
                  </Button>
                ),
            },
          ]}
        />
      </Card>
      <Confirm
        open={asked !== null}
        title={t("tenants.disable.title", { name: asked?.name })}
        text={t("tenants.disable.text")}
        word={t("people.disable")}
        error={change.error}
        isBusy={change.isPending}
        twin={{
          cli: `feilun tenant disable ${asked?.tenant}`,
          api: `PATCH /v1/tenants/${asked?.tenant}\n{"is_disabled": true}`,
        }}
        onYes={() => asked && change.mutate({ id: asked.tenant, is_disabled: true }, { onSuccess: done })}
        onClose={done}
      />
    </>
  );
}

function Add({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const add = useAddTenant();
  const [tenant, setTenant] = useState("");
  const [name, setName] = useState("");
  const close = () => {
    add.reset();
    setTenant("");
    setName("");
    onClose();
  };
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    add.mutate({ tenant: tenant.trim(), name: name.trim() }, { onSuccess: close });
  };
  return (
    <Sheet open={open} title={t("tenants.add")} onClose={close}>
      <form className="stack" onSubmit={save}>
        {add.error && <Trouble error={add.error} />}
        <div className="stack tight">
          <label className="field">
            <span>{t("tenants.id")}</span>
            <Input
              value={tenant}
              maxLength={64}
              autoComplete="off"
              autoFocus
              onChange={(e) => setTenant(e.target.value)}
            />
          </label>
          <small className="quiet">{t("tenants.id.note")}</small>
        </div>
        <label className="field">
          <span>{t("people.name.optional")}</span>
          <Input value={name} maxLength={64} autoComplete="off" onChange={(e) => setName(e.target.value)} />
        </label>
        <Twin
          cli={`feilun tenant create ${tenant || "TENANT"}`}
          api={`POST /v1/tenants\n${JSON.stringify({ tenant, name })}`}
        />
        <footer>
          <Button onClick={close}>{t("cancel")}</Button>
          <Button type="primary" htmlType="submit" loading={add.isPending} disabled={!tenant.trim()}>
            {t("tenants.add")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
