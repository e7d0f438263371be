// Lets somebody in: by name and password, or with a key. Whoever sits at the server's own machine needs neither. When a
// session ends while somebody works, the same form comes up over their page, and what they had typed stays.
import { useEffect, useState, type ReactNode, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { hasKey, onNobody } from "../api/client";
import { useEnterKey, useSession, useSignIn } from "../api/session";
import { Button, Code, Given, Input, Sheet, Trouble } from "../kit/parts";
import { Brand, Looks } from "./Header";

export function Gate({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const session = useSession();
  const [isAsked, setAsked] = useState(false);
  useEffect(() => onNobody(() => setAsked(true)), []);
  return (
    <Given of={session}>
      {(row) =>
        row.kind === "nobody" ? (
          <Outside title={t("sign_in.title")}>
            <SignIn onDone={() => setAsked(false)} />
          </Outside>
        ) : (
          <>
            {children}
            <Sheet open={isAsked} title={t("sign_in.again")} onClose={() => setAsked(false)}>
              <SignIn onDone={() => setAsked(false)} />
            </Sheet>
          </>
        )
      }
    </Given>
  );
}

/** The page of somebody whom the server does not know yet. */
export function Outside({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="outside">
      <header className="row between">
        <Brand to="/" />
        <div className="row">
          <Looks />
        </div>
      </header>
      <main className="card stack" id="content">
        <h1>{title}</h1>
        {children}
      </main>
    </div>
  );
}

function SignIn({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  const [withKey, setWithKey] = useState(hasKey);
  return (
    <div className="stack">
      {!window.isSecureContext && <p className="bad small">{t("sign_in.in_clear")}</p>}
      {withKey ? <KeyForm onDone={onDone} /> : <PasswordForm onDone={onDone} />}
      <Button type="link" className="plain" onClick={() => setWithKey(!withKey)}>
        {t(withKey ? "sign_in.with_password" : "sign_in.with_key")}
      </Button>
    </div>
  );
}

function PasswordForm({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useSignIn();
  const enter = (event: SubmitEvent) => {
    event.preventDefault();
    signIn.mutate({ sign_in_name: name, password }, { onSuccess: onDone, onError: () => setPassword("") });
  };
  return (
    <form className="stack" onSubmit={enter}>
      {signIn.error && <Trouble error={signIn.error} />}
      <label className="field">
        <span>{t("sign_in.name")}</span>
        <Input
          value={name}
          maxLength={100}
          onChange={(event) => setName(event.target.value)}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
        />
      </label>
      <label className="field">
        <span>{t("sign_in.password")}</span>
        <Input.Password
          value={password}
          maxLength={256}
          onChange={(event) => setPassword(event.target.value)}
          autoComplete="current-password"
        />
      </label>
      <Button type="primary" htmlType="submit" loading={signIn.isPending} disabled={!name.trim() || !password}>
        {t("sign_in.enter")}
      </Button>
      <p className="quiet small">{t("sign_in.forgotten")}</p>
    </form>
  );
}

function KeyForm({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  const [key, setKey] = useState("");
  const open = useEnterKey();
  const enter = (event: SubmitEvent) => {
    event.preventDefault();
    setKey("");
    open.mutate(key.trim(), { onSuccess: onDone });
  };
  return (
    <form className="stack" onSubmit={enter}>
      <p className="quiet">{t("key.lead")}</p>
      <Code text="feilun key create --name console --scope admin --days 30" />
      {open.error && <Trouble error={open.error} />}
      <label className="field">
        <span>{t("key.label")}</span>
        <Input.Password
          value={key}
          onChange={(event) => setKey(event.target.value)}
          placeholder="fl_…"
          autoComplete="off"
          autoFocus
        />
      </label>
      <Button type="primary" htmlType="submit" loading={open.isPending} disabled={!key.trim()}>
        {t("key.enter")}
      </Button>
    </form>
  );
}
