// API keys: shown once, never again.
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { useSession } from "../api/session";
import { useAddKey, useKeys, useRevokeKey, useRotateKey, useTenants } from "../api/settings";
import { useProjects } from "../api/verbs";
import { moment, when } from "../kit/format";
import { Button, Card, Empty, Given, Input, Page, Pill, Select, Sheet, Trouble, Twin } from "../kit/parts";
import { Table } from "../kit/Table";
import { Confirm } from "./Confirm";
import { RoleField } from "./People";
import { Secret } from "./Secret";

type Key = Shapes["KeyRow"];
type Role = NonNullable<Key["role"]>;
const LIVES = [30, 90, 365];

export default function Keys() {
  const { t } = useTranslation();
  const keys = useKeys();
  const [isAdding, setAdding] = useState(false);
  const [made, setMade] = useState<Shapes["KeyMade"] | null>(null);
  const add = (
    <Button type="primary" onClick={() => setAdding(true)}>
      {t("keys.add")}
    </Button>
  );
  return (
    <Page title={t("keys.title")} lead={t("keys.lead")} action={add}>
      <Given of={keys}>
        {(rows) =>
          rows.length ? (
            <List rows={rows} onKey={setMade} />
          ) : (
            <Empty title={t("keys.none.title")}>{t("keys.none.text")}</Empty>
          )
        }
      </Given>
      <Add
        open={isAdding}
        onClose={() => setAdding(false)}
        onMade={(key) => {
          setAdding(false);
          setMade(key);
        }}
      />
      <Secret
        secret={made && made.key}
        title={t("keys.made.title", { name: made?.name })}
        lead={t("keys.made.lead")}
        onClose={() => setMade(null)}
      />
    </Page>
  );
}

const isOver = (key: Key) =>
  key.revoked_at !== null || (key.expires_at !== null && moment(key.expires_at).getTime() <= Date.now());

function List({ rows, onKey }: { rows: Key[]; onKey: (made: Shapes["KeyMade"]) => void }) {
  const { t } = useTranslation();
  const rotate = useRotateKey();
  const revoke = useRevokeKey();
  const [asked, ask] = useState<{ key: Key; verb: "rotate" | "revoke" } | null>(null);
  const done = () => {
    ask(null);
    rotate.reset();
    revoke.reset();
  };
  const act = () => {
    if (asked?.verb === "revoke") revoke.mutate(asked.key.key_id, { onSuccess: done });
    if (asked?.verb === "rotate")
      rotate.mutate(asked.key.key_id, {
        onSuccess: (made) => {
          done();
          onKey(made);
        },
      });
  };
  const id = asked?.key.key_id ?? "";
  return (
    <>
      <Card flush>
        <Table<Key>
          label={t("keys.title")}
          rowKey="key_id"
          dataSource={[...rows].reverse()}
          pagination={rows.length > 20 ? { pageSize: 20 } : false}
          rowClassName={(row) => (isOver(row) ? "over" : "")}
          columns={[
            {
              title: t("keys.name"),
              key: "name",
              render: (_, row) => (
                <>
                  {row.name}
                  <div className="mono small quiet">{row.key_id}</div>
                </>
              ),
            },
            {
              title: t("people.role"),
              key: "role",
              render: (_, row) => (row.role ? t(`role.${row.role}`) : row.scopes.join(" ")),
            },
            {
              title: t("keys.reach"),
              key: "reach",
              render: (_, row) => row.project ?? row.tenant ?? t("people.operator"),
            },
            {
              title: t("keys.ends"),
              key: "ends",
              render: (_, row) =>
                row.revoked_at ? (
                  <Pill tone="bad">{t("keys.revoked")}</Pill>
                ) : row.expires_at ? (
                  <span className="nowrap">{when(row.expires_at)}</span>
                ) : (
                  t("keys.never")
                ),
            },
            {
              title: t("keys.used"),
              key: "used",
              render: (_, row) => (
                <span className="nowrap">{row.last_used_at ? when(row.last_used_at) : t("keys.unused")}</span>
              ),
            },
            {
              title: <span className="sr">{t("models.do")}</span>,
              key: "do",
              align: "right",
              className: "do",
              render: (_, row) =>
                !isOver(row) && (
                  <div className="row">
                    <Button size="small" onClick={() => ask({ key: row, verb: "rotate" })}>
                      {t("keys.rotate")}
                    </Button>
                    <Button size="small" danger onClick={() => ask({ key: row, verb: "revoke" })}>
                      {t("keys.revoke")}
                    </Button>
                  </div>
                ),
            },
          ]}
        />
      </Card>
      <Confirm
        open={asked !== null}
        title={asked ? t(`keys.${asked.verb}.title`, { name: asked.key.name }) : ""}
        text={asked ? t(`keys.${asked.verb}.text`) : ""}
        word={asked ? t(`keys.${asked.verb}`) : ""}
        error={rotate.error ?? revoke.error}
        isBusy={rotate.isPending || revoke.isPending}
        twin={{ cli: `feilun key ${asked?.verb} ${id}`, api: `POST /v1/keys/${id}/${asked?.verb}` }}
        onYes={act}
        onClose={done}
      />
    </>
  );
}

type Reach = { project?: string; tenant?: string };

const reachOption = ({ project, tenant }: Reach): string =>
  project ?? (tenant ? `--tenant ${tenant}` : "--every-project");

/** What the key opens: one project, all of a tenant, or whatever its maker sees. */
function ReachField({ value, onChange }: { value: Reach; onChange: (reach: Reach) => void }) {
  const { t } = useTranslation();
  const projects = useProjects().data ?? [];
  const tenants = useTenants(useSession().data?.is_operator === true).data ?? [];
  const choices: { reach: Reach; label: string }[] = [
    { reach: {}, label: t("keys.reach.all") },
    ...projects.map(({ name }) => ({ reach: { project: name }, label: t("keys.reach.project", { name }) })),
    ...tenants.map(({ tenant }) => ({ reach: { tenant }, label: t("keys.reach.tenant", { name: tenant }) })),
  ];
  return (
    <label className="field">
      <span>{t("keys.reach")}</span>
      <Select<string>
        value={JSON.stringify(value)}
        onChange={(chosen) => onChange(JSON.parse(chosen) as Reach)}
        options={choices.map(({ reach, label }) => ({ value: JSON.stringify(reach), label }))}
      />
    </label>
  );
}

function Add(props: { open: boolean; onClose: () => void; onMade: (key: Shapes["KeyMade"]) => void }) {
  const { t } = useTranslation();
  const add = useAddKey();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("labeller");
  const [days, setDays] = useState<number>(90);
  const [reach, setReach] = useState<Reach>({});
  const wish = { name: name.trim(), role, ...reach, ...(days ? { expires_in_days: days } : {}) };
  const close = () => {
    add.reset();
    props.onClose();
  };
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    add.mutate(wish, {
      onSuccess: (made) => {
        setName("");
        props.onMade(made);
      },
    });
  };
  return (
    <Sheet open={props.open} title={t("keys.add")} onClose={close}>
      <form className="stack" onSubmit={save}>
        {add.error && <Trouble error={add.error} />}
        <label className="field">
          <span>{t("keys.name")}</span>
          <Input value={name} maxLength={64} autoComplete="off" autoFocus onChange={(e) => setName(e.target.value)} />
        </label>
        <RoleField value={role} onChange={setRole} />
        <ReachField value={reach} onChange={setReach} />
        <label className="field">
          <span>{t("keys.ends")}</span>
          <Select<number>
            value={days}
            onChange={setDays}
            options={[
              ...LIVES.map((n) => ({ value: n, label: t("keys.days", { count: n }) })),
              { value: 0, label: t("keys.never") },
            ]}
          />
        </label>
        <Twin
          cli={`feilun key create ${reachOption(reach)} --name "${name}" --role ${role}${days ? ` --days ${days}` : ""}`}
          api={`POST /v1/keys\n${JSON.stringify(wish)}`}
        />
        <footer>
          <Button onClick={close}>{t("cancel")}</Button>
          <Button type="primary" htmlType="submit" loading={add.isPending} disabled={!name.trim()}>
            {t("keys.make")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
