// Asks for an API key when the server does: it does for everybody who is not on its own machine.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, type ReactNode, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { hasKey, keepKey, onKeyNeeded } from "../api/client";
import { Button, Code, Input, Sheet } from "../kit/parts";

export function KeyGate({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [asked, setAsked] = useState(false);
  const [refused, setRefused] = useState(false);
  const [key, setKey] = useState("");

  useEffect(
    () =>
      onKeyNeeded(() => {
        setRefused(hasKey()); // a key was sent, so it is not valid (any more)
        setAsked(true);
      }),
    [],
  );

  const enter = (event: SubmitEvent) => {
    event.preventDefault();
    keepKey(key.trim());
    setKey("");
    setAsked(false);
    void queries.resetQueries();
  };

  return (
    <>
      {children}
      <Sheet open={asked} title={t("key.title")} onClose={() => setAsked(false)}>
        <form className="stack" onSubmit={enter}>
          <p className="quiet">{t("key.lead")}</p>
          <Code text="feilun key create --name console --scope admin --days 30" />
          {refused && (
            <p className="bad" role="alert">
              {t("key.refused")}
            </p>
          )}
          <label className="field">
            <span>{t("key.label")}</span>
            <Input.Password
              value={key}
              onChange={(e) => setKey(e.target.value)}
              placeholder="fl_…"
              autoComplete="off"
              autoFocus
            />
          </label>
          <footer>
            <Button type="primary" htmlType="submit" disabled={!key.trim()}>
              {t("key.enter")}
            </Button>
          </footer>
        </form>
      </Sheet>
    </>
  );
}
