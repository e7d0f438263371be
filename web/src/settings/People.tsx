// Who may sign in. An owner hands over a code; nobody but the person ever knows the password.
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { useSession } from "../api/session";
import { useAddPerson, useChangePerson, usePeople, useResetPerson, useTenants } from "../api/settings";
import { when } from "../kit/format";
import { Button, Card, Empty, Given, Input, Page, Pill, Select, Sheet, Trouble, Twin } from "../kit/parts";
import { Table } from "../kit/Table";
import { Confirm } from "./Confirm";
import { Secret } from "./Secret";

type Person = Shapes["PersonRow"];
type Role = Person["role"];
export const ROLES: Role[] = ["viewer", "labeller", "maintainer", "owner"];

export default function People() {
  const { t } = useTranslation();
  const people = usePeople();
  const [isAdding, setAdding] = useState(false);
  const [made, setMade] = useState<Shapes["PersonMade"] | null>(null);
  const add = (
    <Button type="primary" onClick={() => setAdding(true)}>
      {t("people.add")}
    </Button>
  );
  return (
    <Page title={t("people.title")} lead={t("people.lead")} action={add}>
      <Given of={people}>
        {(rows) =>
          rows.length ? (
            <List rows={rows} onCode={setMade} />
          ) : (
            <Empty title={t("people.none.title")}>{t("people.none.text")}</Empty>
          )
        }
      </Given>
      <Add
        open={isAdding}
        onClose={() => setAdding(false)}
        onMade={(person) => {
          setAdding(false);
          setMade(person);
        }}
      />
      <Secret
        secret={made && `${location.origin}/console/invitation#${made.code}`}
        title={t("people.code.title", { name: made?.sign_in_name })}
        lead={t("people.code.lead")}
        onClose={() => setMade(null)}
      />
    </Page>
  );
}

function List({ rows, onCode }: { rows: Person[]; onCode: (made: Shapes["PersonMade"]) => void }) {
  const { t } = useTranslation();
  const me = useSession().data?.person_id;
  const change = useChangePerson();
  const reset = useResetPerson();
  const [asked, ask] = useState<{ person: Person; verb: "disable" | "reset" } | null>(null);
  const done = () => {
    ask(null);
    change.reset();
    reset.reset();
  };
  const act = () => {
    if (asked?.verb === "disable")
      change.mutate({ id: asked.person.person_id, is_disabled: true }, { onSuccess: done });
    if (asked?.verb === "reset")
      reset.mutate(asked.person.person_id, {
        onSuccess: (made) => {
          done();
          onCode(made);
        },
      });
  };
  const id = asked?.person.person_id ?? "";
  return (
    <>
      {change.error && !asked && <Trouble error={change.error} />}
      <Card flush>
        <Table<Person>
          label={t("people.title")}
          rowKey="person_id"
          dataSource={rows}
          rowClassName={(row) => (row.disabled_at ? "over" : "")}
          columns={[
            {
              title: t("people.name"),
              key: "name",
              render: (_, row) => (
                <>
                  {row.name}
                  <div className="mono small quiet">{row.sign_in_name}</div>
                </>
              ),
            },
            {
              title: t("people.role"),
              key: "role",
              render: (_, row) => (
                <Select<Role>
                  size="small"
                  aria-label={t("people.role_of", { name: row.sign_in_name })}
                  value={row.role}
                  disabled={row.person_id === me}
                  onChange={(role) => change.mutate({ id: row.person_id, role })}
                  options={ROLES.map((role) => ({ value: role, label: t(`role.${role}`) }))}
                  popupMatchSelectWidth={false}
                />
              ),
            },
            { title: t("people.tenant"), key: "tenant", render: (_, row) => row.tenant ?? t("people.operator") },
            { title: t("people.state"), key: "state", render: (_, row) => <State person={row} /> },
            {
              title: <span className="sr">{t("models.do")}</span>,
              key: "do",
              align: "right",
              className: "do",
              render: (_, row) =>
                row.person_id !== me && (
                  <div className="row">
                    {row.disabled_at ? (
                      <Button size="small" onClick={() => change.mutate({ id: row.person_id, is_disabled: false })}>
                        {t("people.enable")}
                      </Button>
                    ) : (
                      <>
                        <Button size="small" onClick={() => ask({ person: row, verb: "reset" })}>
                          {t("people.reset")}
                        </Button>
                        <Button size="small" danger onClick={() => ask({ person: row, verb: "disable" })}>
                          {t("people.disable")}
                        </Button>
                      </>
                    )}
                  </div>
                ),
            },
          ]}
        />
      </Card>
      <Confirm
        open={asked !== null}
        title={asked ? t(`people.${asked.verb}.title`, { name: asked.person.sign_in_name }) : ""}
        text={asked ? t(`people.${asked.verb}.text`) : ""}
        word={asked ? t(`people.${asked.verb}`) : ""}
        error={change.error ?? reset.error}
        isBusy={change.isPending || reset.isPending}
        twin={
          asked?.verb === "disable"
            ? { cli: `feilun person disable ${id}`, api: `PATCH /v1/people/${id}\n{"is_disabled": true}` }
            : { cli: `feilun person reset ${id}`, api: `POST /v1/people/${id}/reset` }
        }
        onYes={act}
        onClose={done}
      />
    </>
  );
}

function State({ person }: { person: Person }) {
  const { t } = useTranslation();
  if (person.disabled_at) return <Pill tone="bad">{t("people.is_disabled")}</Pill>;
  if (person.has_password) return <Pill tone="good">{t("people.is_in")}</Pill>;
  return (
    <>
      <Pill tone="warn">{t("people.is_invited")}</Pill>
      {person.invited_until && (
        <div className="small quiet nowrap">{t("people.until", { at: when(person.invited_until) })}</div>
      )}
    </>
  );
}

function Add(props: { open: boolean; onClose: () => void; onMade: (person: Shapes["PersonMade"]) => void }) {
  const { t } = useTranslation();
  const session = useSession().data;
  const tenants = useTenants(session?.is_operator === true).data ?? [];
  const add = useAddPerson();
  const [wish, setWish] = useState({
    sign_in_name: "",
    name: "",
    role: "labeller" as Role,
    tenant: null as string | null,
  });
  const close = () => {
    add.reset();
    props.onClose();
  };
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    add.mutate(wish, {
      onSuccess: (made) => {
        setWish({ ...wish, sign_in_name: "", name: "" });
        props.onMade(made);
      },
    });
  };
  return (
    <Sheet open={props.open} title={t("people.add")} onClose={close}>
      <form className="stack" onSubmit={save}>
        {add.error && <Trouble error={add.error} />}
        <label className="field">
          <span>{t("sign_in.name")}</span>
          <Input
            value={wish.sign_in_name}
            maxLength={32}
            autoComplete="off"
            autoFocus
            onChange={(event) => setWish({ ...wish, sign_in_name: event.target.value })}
          />
        </label>
        <label className="field">
          <span>{t("people.name.optional")}</span>
          <Input
            value={wish.name}
            maxLength={64}
            autoComplete="off"
            onChange={(event) => setWish({ ...wish, name: event.target.value })}
          />
        </label>
        <RoleField value={wish.role} onChange={(role) => setWish({ ...wish, role })} />
        {tenants.length > 1 && (
          <label className="field">
            <span>{t("people.tenant")}</span>
            <Select
              value={wish.tenant ?? ""}
              onChange={(tenant) => setWish({ ...wish, tenant: tenant || null })}
              options={[
                { value: "", label: t("people.operator") },
                ...tenants.map((one) => ({ value: one.tenant, label: one.name })),
              ]}
            />
          </label>
        )}
        <Twin
          cli={`feilun person add ${wish.sign_in_name || "NAME"} --role ${wish.role}${wish.tenant ? ` --tenant ${wish.tenant}` : ""}`}
          api={`POST /v1/people\n${JSON.stringify(wish)}`}
        />
        <footer>
          <Button onClick={close}>{t("cancel")}</Button>
          <Button type="primary" htmlType="submit" loading={add.isPending} disabled={!wish.sign_in_name.trim()}>
            {t("people.invite")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}

/** A role, and what it may do. */
export function RoleField({ value, onChange }: { value: Role; onChange: (role: Role) => void }) {
  const { t } = useTranslation();
  return (
    <div className="stack tight">
      <label className="field">
        <span>{t("people.role")}</span>
        <Select<Role>
          value={value}
          onChange={onChange}
          options={ROLES.map((role) => ({ value: role, label: t(`role.${role}`) }))}
        />
      </label>
      <small className="quiet">{t(`role.${value}.may`)}</small>
    </div>
  );
}
