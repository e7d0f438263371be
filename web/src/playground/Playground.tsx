// Try a message, see what an application would get, take the code along.
import { useMutation } from "@tanstack/react-query";
import { useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useName } from "../app/Shell";
import type { Shapes } from "../api/client";
import { predict, useGiveFeedback, useProject } from "../api/verbs";
import { percent } from "../kit/format";
import { Button, Card, Empty, Given, Page, Select, TextArea, Trouble, Twin } from "../kit/parts";
import { isComposing } from "../queue/keys";
import { Odds, Said } from "./Odds";
import { Others } from "./Others";
import { CodeSnippets } from "./CodeSnippets";
import { Why } from "./Why";
import "./playground.css";

export default function Playground() {
  const { t } = useTranslation();
  const project = useProject(useName());
  return (
    <Page title={t("try.title")} lead={t("try.lead")}>
      <Given of={project}>
        {(found) =>
          found.champion ? (
            <Try project={found} />
          ) : (
            <Empty
              title={t("try.no_model.title")}
              action={<Link to={`/projects/${encodeURIComponent(found.name)}`}>{t("nav.home")}</Link>}
            >
              {t("try.no_model.text")}
            </Empty>
          )
        }
      </Given>
    </Page>
  );
}

function Try({ project }: { project: Shapes["ProjectReply"] }) {
  const { t } = useTranslation();
  // not in the address: a message there would end up in browsing histories and in proxies' logs
  const [text, setText] = useState("");
  const ask = useMutation({ mutationFn: (asked: string) => predict(project.name, asked) });
  const answer = ask.data?.predictions[0];

  const go = () => {
    if (!text.trim() || ask.isPending) return;
    ask.mutate(text);
  };
  const type = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || isComposing(event.nativeEvent)) return;
    event.preventDefault();
    go();
  };
  return (
    <>
      <div className="grid">
        <Card title={t("try.message")}>
          <div className="stack">
            <TextArea
              id="try"
              aria-label={t("try.message")}
              rows={5}
              value={text}
              onChange={(event) => setText(event.target.value)}
              onKeyDown={type}
              placeholder={t("try.placeholder")}
              autoFocus
            />
            <div className="row between">
              <span className="quiet small">{t("try.recorded")}</span>
              <Button type="primary" onClick={go} loading={ask.isPending} disabled={!text.trim()}>
                {t("try.ask")}
              </Button>
            </div>
          </div>
        </Card>
        <Card title={t("try.answer")}>
          {ask.error ? (
            <Trouble error={ask.error} />
          ) : answer ? (
            <Answer key={answer.prediction_id} answer={answer} project={project} text={ask.variables ?? ""} />
          ) : (
            <p className="quiet">{t("try.nothing_yet")}</p>
          )}
        </Card>
      </div>
      {project.champion && (
        <Others name={project.name} champion={project.champion} text={answer ? (ask.variables ?? "") : ""} />
      )}
      <Card title={t("try.code")} note={t("try.code.note")}>
        <CodeSnippets name={project.name} text={text.trim() || t("try.placeholder")} label={t("try.code")} />
      </Card>
      <Twin
        cli={`feilun model ask TEXT --project ${project.name} --model MODEL\nfeilun explain TEXT --project ${project.name}`}
        api={["predictions", "models/MODEL/answers", "explanations"]
          .map((what) => `POST /v1/projects/${project.name}/${what}`)
          .join("\n")}
      />
    </>
  );
}

function Answer(props: { answer: Shapes["Prediction"]; project: Shapes["ProjectReply"]; text: string }) {
  const { answer, project, text } = props;
  const { t } = useTranslation();
  return (
    <div className="stack" data-testid="answer">
      <Said answer={answer} />
      <Odds of={answer.alternatives} />
      <Why name={project.name} modelId={answer.model_version} text={text} />
      <p className="quiet small">
        {t("try.confidence", { share: percent(answer.confidence) })} ·{" "}
        <Link to={`/projects/${encodeURIComponent(project.name)}/models/${answer.model_version}`} className="mono">
          {answer.model_version}
        </Link>
      </p>
      <Verdict answer={answer} project={project} />
    </div>
  );
}

function Verdict({ answer, project }: { answer: Shapes["Prediction"]; project: Shapes["ProjectReply"] }) {
  const { t } = useTranslation();
  const [isWrong, setWrong] = useState(false);
  const say = useGiveFeedback(project.name);
  if (say.isSuccess)
    return (
      <p role="status" className="good">
        {t("try.thanks")}
      </p>
    );
  const about = { prediction_id: answer.prediction_id };
  return (
    <div className="stack tight">
      {say.error && <Trouble error={say.error} />}
      <div className="row">
        <Button loading={say.isPending} onClick={() => say.mutate({ ...about, thumb: "up" })}>
          {t("try.right")}
        </Button>
        {isWrong ? (
          <Select
            className="verdict"
            showSearch
            defaultOpen
            autoFocus
            aria-label={t("try.right_label")}
            placeholder={t("try.right_label")}
            onChange={(label: string) => say.mutate({ ...about, label })}
            options={project.labels.map((label) => ({ value: label, label }))}
          />
        ) : (
          <Button onClick={() => setWrong(true)}>{t("try.wrong")}</Button>
        )}
      </div>
    </div>
  );
}
