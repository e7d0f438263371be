// The first visit: the code that an owner handed over becomes a password of one's own. A link carries the code behind
// its '#', which no browser sends to a server, so that it stands in no log.
import { useId, useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { useAccept } from "../api/session";
import { Button, Input, Trouble } from "../kit/parts";
import { Outside } from "./Gate";

export const LEAST_PASSWORD = 12;

export default function Invitation() {
  const { t } = useTranslation();
  const go = useNavigate();
  const accept = useAccept();
  const [code, setCode] = useState(() => decodeURIComponent(location.hash.slice(1)));
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const differs = again !== "" && again !== password;
  const enter = (event: SubmitEvent) => {
    event.preventDefault();
    accept.mutate({ code: code.trim(), password }, { onSuccess: () => void go("/", { replace: true }) });
  };
  return (
    <Outside title={t("invitation.title")}>
      <form className="stack" onSubmit={enter}>
        <p className="quiet">{t("invitation.lead")}</p>
        {!window.isSecureContext && <p className="bad small">{t("sign_in.in_clear")}</p>}
        {accept.error && <Trouble error={accept.error} />}
        <label className="field">
          <span>{t("invitation.code")}</span>
          <Input
            value={code}
            maxLength={100}
            onChange={(event) => setCode(event.target.value)}
            placeholder="fi_…"
            autoComplete="off"
            spellCheck={false}
          />
        </label>
        <Passwords {...{ password, setPassword, again, setAgain }} />
        <Button
          type="primary"
          htmlType="submit"
          loading={accept.isPending}
          disabled={!code.trim() || password.length < LEAST_PASSWORD || differs || !again}
        >
          {t("invitation.enter")}
        </Button>
      </form>
    </Outside>
  );
}

/** A new password, twice. */
export function Passwords(props: {
  password: string;
  setPassword: (text: string) => void;
  again: string;
  setAgain: (text: string) => void;
}) {
  const { t } = useTranslation();
  const { password, setPassword, again, setAgain } = props;
  const differs = again !== "" && again !== password;
  const rule = useId();
  return (
    <>
      <div className="stack tight">
        <label className="field">
          <span>{t("password.new")}</span>
          <Input.Password
            value={password}
            maxLength={256}
            onChange={(event) => setPassword(event.target.value)}
            autoComplete="new-password"
            aria-describedby={rule}
          />
        </label>
        <small className="quiet" id={rule}>
          {t("password.rule", { n: LEAST_PASSWORD })}
        </small>
      </div>
      <div className="stack tight">
        <label className="field">
          <span>{t("password.again")}</span>
          <Input.Password
            value={again}
            maxLength={256}
            status={differs ? "error" : ""}
            onChange={(event) => setAgain(event.target.value)}
            autoComplete="new-password"
          />
        </label>
        {differs && (
          <small className="bad" role="alert">
            {t("password.differs")}
          </small>
        )}
      </div>
    </>
  );
}
