// Who one is here, what that opens, and another password.
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useChangePassword, useSession, type Session } from "../api/session";
import { LEAST_PASSWORD, Passwords } from "../app/Invitation";
import { Button, Card, Given, Input, Page, Pill, Trouble } from "../kit/parts";

export default function Account() {
  const { t } = useTranslation();
  return (
    <Page title={t("settings.account")} lead={t("account.lead")}>
      <Given of={useSession()}>
        {(session) => (
          <>
            <Who session={session} />
            {session.kind === "person" && <Password />}
          </>
        )}
      </Given>
    </Page>
  );
}

function Who({ session }: { session: Session }) {
  const { t } = useTranslation();
  return (
    <Card>
      <dl className="facts">
        <dt>{t("account.kind")}</dt>
        <dd>{t(`account.kind.${session.kind}`)}</dd>
        {session.name && (
          <>
            <dt>{t("people.name")}</dt>
            <dd>{session.name}</dd>
          </>
        )}
        {session.sign_in_name && (
          <>
            <dt>{t("sign_in.name")}</dt>
            <dd className="mono">{session.sign_in_name}</dd>
          </>
        )}
        <dt>{t("people.role")}</dt>
        <dd>{session.role ? t(`role.${session.role}`) : session.scopes.join(" ")}</dd>
        <dt>{t("people.tenant")}</dt>
        <dd>{session.tenant ?? t("people.operator")}</dd>
        <dt>{t("account.scopes")}</dt>
        <dd className="row">
          {session.scopes.map((scope) => (
            <Pill key={scope}>{t(`scope.${scope}`)}</Pill>
          ))}
        </dd>
      </dl>
    </Card>
  );
}

function Password() {
  const { t } = useTranslation();
  const change = useChangePassword();
  const [old, setOld] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    change.mutate(
      { old, new: password },
      {
        onSuccess: () => {
          setOld("");
          setPassword("");
          setAgain("");
        },
      },
    );
  };
  return (
    <Card title={t("password.title")} note={t("password.note")}>
      <form className="stack narrow" onSubmit={save}>
        {change.error && <Trouble error={change.error} />}
        {change.isSuccess && <p role="status">{t("password.changed")}</p>}
        <label className="field">
          <span>{t("password.old")}</span>
          <Input.Password
            value={old}
            maxLength={256}
            onChange={(event) => setOld(event.target.value)}
            autoComplete="current-password"
          />
        </label>
        <Passwords {...{ password, setPassword, again, setAgain }} />
        <Button
          type="primary"
          htmlType="submit"
          loading={change.isPending}
          disabled={!old || password.length < LEAST_PASSWORD || password !== again}
        >
          {t("password.save")}
        </Button>
      </form>
    </Card>
  );
}
