// From a file, or the bundled sample, to a project that trains its first model.
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { useProjects } from "../api/verbs";
import { columnsOf, useCreateProject, useFile, useMachine, type Waiting } from "../api/files";
import { count } from "../kit/format";
import { Drop } from "../kit/Drop";
import { Button, Card, Given, Input, Page, Segmented, Trouble, Twin } from "../kit/parts";
import type { Language } from "../words";
import { Preview } from "./Preview";
import "./start.css";

const QUICK_S = 40; // a model that answers within two minutes on a small machine

export default function NewProject() {
  const { t } = useTranslation();
  const hand = useFile();
  const { file } = hand;
  if (!file)
    return (
      <Page title={t("start.title")} lead={t("start.lead")}>
        <div className="start-choices">
          <div className="stack">
            <Drop label={t("start.drop")} note={t("start.drop.note")} isBusy={hand.isSending} onFile={hand.send} />
            {hand.error && <Trouble error={hand.error} />}
            <Sample />
          </div>
          <Machine />
        </div>
      </Page>
    );
  return (
    <Page
      title={t("start.title")}
      lead={t("start.check")}
      action={<Button onClick={hand.drop}>{t("start.other")}</Button>}
    >
      <Preview of={file} isBusy={hand.isLooking} onColumns={hand.look} />
      {hand.error && <Trouble error={hand.error} />}
      {file.label && !file.trouble && <Make file={file} />}
    </Page>
  );
}

function Make({ file }: { file: Waiting }) {
  const { t } = useTranslation();
  const go = useNavigate();
  const create = useCreateProject();
  const [name, setName] = useState(() => nameFrom(file.name));
  const [language, setLanguage] = useState(file.language ?? "en");
  const [pace, setPace] = useState<"quick" | "thorough">("quick");
  const wish = {
    name,
    upload_id: file.upload_id,
    language,
    ...columnsOf(file),
    ...(pace === "quick" ? { budget_s: QUICK_S } : {}),
  };
  const make = (event: SubmitEvent) => {
    event.preventDefault();
    create.mutate(wish, { onSuccess: (made) => void go(`/projects/${encodeURIComponent(made.name)}/first`) });
  };
  return (
    <Card title={t("start.make.title")}>
      <form className="stack" onSubmit={make}>
        <div className="start-form">
          <label className="field">
            <span>{t("start.name")}</span>
            <Input value={name} maxLength={64} onChange={(event) => setName(event.target.value)} />
          </label>
          <div className="field">
            <span>{t("start.language")}</span>
            <Segmented<"en" | "zh" | "multi">
              aria-label={t("start.language")}
              value={language}
              onChange={setLanguage}
              options={[
                { value: "en", label: "English" },
                { value: "zh", label: "中文" },
                { value: "multi", label: t("start.language.both") },
              ]}
            />
          </div>
          <div className="field">
            <span>{t("start.pace")}</span>
            <Segmented<"quick" | "thorough">
              aria-label={t("start.pace")}
              value={pace}
              onChange={setPace}
              options={[
                { value: "quick", label: t("start.pace.quick") },
                { value: "thorough", label: t("start.pace.thorough") },
              ]}
            />
          </div>
          <Button type="primary" htmlType="submit" loading={create.isPending} disabled={!name.trim()}>
            {t("start.make")}
          </Button>
        </div>
        <p className="quiet small">{t("start.make.text")}</p>
        {create.error && <Trouble error={create.error} />}
        <Twin
          cli={`feilun init ${name || "NAME"} --data ${file.name}${file.text ? ` --text '${file.text}'` : ""}${file.label ? ` --label '${file.label}'` : ""}\nfeilun turn ${name || "NAME"}`}
          api={`POST /v1/projects\n${JSON.stringify(wish)}\nPOST /v1/projects/${name || "NAME"}/turns`}
        />
      </form>
    </Card>
  );
}

function Sample() {
  const { t, i18n } = useTranslation();
  const go = useNavigate();
  const create = useCreateProject();
  const known = useProjects().data ?? [];
  const language = i18n.language as Language;
  const start = (sample: Language) => {
    const name = freeName(`sample-${sample}`, new Set(known.map((row) => row.name)));
    create.mutate(
      { name, sample, budget_s: QUICK_S },
      { onSuccess: (made) => void go(`/projects/${encodeURIComponent(made.name)}/first`) },
    );
  };
  return (
    <Card title={t("start.sample.title")}>
      <div className="stack">
        <p className="quiet">{t("start.sample.text")}</p>
        <div className="row">
          {(language === "zh" ? (["zh", "en"] as const) : (["en", "zh"] as const)).map((one) => (
            <Button key={one} disabled={create.isPending} onClick={() => start(one)}>
              {t(`start.sample.${one}`)}
            </Button>
          ))}
        </div>
        {create.error && <Trouble error={create.error} />}
      </div>
    </Card>
  );
}

/** What to expect of this machine. */
function Machine() {
  const { t } = useTranslation();
  return (
    <div className="machine">
      <Card title={t("machine.title")}>
        <Given of={useMachine()}>
          {(of) => (
            <div className="stack">
              <dl>
                <dt>{t("machine.cores")}</dt>
                <dd className="num">{count(of.n_cores)}</dd>
                {of.memory_left_mb !== null && (
                  <>
                    <dt>{t("machine.memory")}</dt>
                    <dd className="num">{t("machine.gb", { n: (of.memory_left_mb / 1000).toFixed(1) })}</dd>
                  </>
                )}
                <dt>{t("machine.disk")}</dt>
                <dd className="num">{t("machine.gb", { n: count(Math.round(of.disk_left_mb / 1000)) })}</dd>
              </dl>
              <ul className="notes small">
                <li>{t(of.can_train ? "machine.trains" : "machine.heads")}</li>
                <li>{t(of.has_bfloat16 ? "machine.bfloat" : "machine.floats")}</li>
                {of.has_int8 && <li>{t("machine.bytes")}</li>}
                <li>{t(of.backbones.length ? "machine.backbones" : "machine.no_backbone")}</li>
              </ul>
            </div>
          )}
        </Given>
      </Card>
    </div>
  );
}

/** A name for addresses out of a file's: letters, digits, - and _. */
function nameFrom(file: string): string {
  const stem = file.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9_-]+/g, "-");
  return stem.replace(/^[-_]+|[-_]+$/g, "").slice(0, 64) || "project";
}

function freeName(wanted: string, taken: Set<string>): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? wanted : `${wanted}-${n}`;
    if (!taken.has(name)) return name;
  }
}
