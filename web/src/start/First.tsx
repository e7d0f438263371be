// The first turn of a new project, live; and once its model answers, how to ask it.
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useName } from "../app/Shell";
import { useProject, useTurns } from "../api/verbs";
import { Card, Given, Page } from "../kit/parts";
import { CodeSnippets } from "../playground/CodeSnippets";
import { Turn } from "../turns/Turn";
import "../turns/turns.css";
import "./start.css";

export default function First() {
  const { t } = useTranslation();
  const name = useName();
  const project = useProject(name).data;
  const isLive = project?.champion != null;
  return (
    <Page title={t(isLive ? "first.live" : "first.title")} lead={t(isLive ? "first.live.lead" : "first.lead")}>
      {isLive && <Ask name={name} />}
      <Given of={useTurns(name)}>
        {(turns) => {
          const turn = turns.at(-1);
          return turn ? (
            <Turn key={turn.turn_id} name={name} turn={turn} />
          ) : (
            <p className="card" role="status">
              {t("turn.requested")}
            </p>
          );
        }}
      </Given>
    </Page>
  );
}

function Ask({ name }: { name: string }) {
  const { t } = useTranslation();
  return (
    <Card title={t("first.ask")} note={t("try.code.note")}>
      <div className="stack">
        <CodeSnippets name={name} text={t("try.placeholder")} label={t("first.ask")} />
        <p>
          <Link to={`/projects/${encodeURIComponent(name)}/playground`}>{t("first.try")} →</Link>
          {" · "}
          <Link to={`/projects/${encodeURIComponent(name)}/data`}>{t("first.data")} →</Link>
          {" · "}
          <Link to={`/projects/${encodeURIComponent(name)}`}>{t("first.home")} →</Link>
        </p>
      </div>
    </Card>
  );
}
