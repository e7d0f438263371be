// feilun.toml of a project, section by section: what stands, what it means, and other values where that is safe.
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useName } from "../app/Shell";
import { Problem, type Shapes } from "../api/client";
import { useChangeSettings, useSettings, type Setting } from "../api/operate";
import { useMay } from "../api/session";
import { Button, Card, Given, Page, Trouble, Twin } from "../kit/parts";
import { useAddress } from "../app/address";
import { Line } from "./Line";
import { isSame, type Values } from "./values";
import "./config.css";

type Read = Shapes["SettingsReply"];
type Part = Read["sections"][number];

export default function Config() {
  const { t } = useTranslation();
  const name = useName();
  const settings = useSettings(name);
  return (
    <Page title={t("config.title")} lead={t("config.lead")}>
      <Given of={settings}>{(of) => <Desk name={name} of={of} onReread={() => void settings.refetch()} />}</Given>
    </Page>
  );
}

/** What was changed and not yet saved lies here, and stays when the file is read again. */
function Desk({ name, of, onReread }: { name: string; of: Read; onReread: () => void }) {
  const { t } = useTranslation();
  const [wanted, want] = useState<Values>({});
  const [address, setAddress] = useAddress();
  const isShort = address.get("show") === "changed";
  const set = (one: Setting, value: unknown) =>
    want(({ [one.name]: _, ...rest }) => (isSame(value, one.value) ? rest : { ...rest, [one.name]: value }));
  const line = (one: Setting) => {
    const isWanted = one.name in wanted;
    if (isShort && one.is_default && !isWanted) return null;
    const value = isWanted ? wanted[one.name] : one.value;
    return <Line key={one.name} of={one} value={value} isWanted={isWanted} onSet={(chosen) => set(one, chosen)} />;
  };
  return (
    <>
      <label className="row config-filter">
        <input
          type="checkbox"
          checked={isShort}
          onChange={(event) => setAddress({ show: event.target.checked ? "changed" : undefined })}
        />
        {t("config.only_changed")}
      </label>
      {inOrder(of.sections).map((section) => (
        <Section key={section.table} of={section} line={line} />
      ))}
      <InFile sections={of.sections} line={line} isOpen={isShort} />
      <Save name={name} etag={of.etag} wanted={wanted} onDone={() => want({})} onReread={onReread} />
    </>
  );
}

/** Those that people change most come first; a section of which nothing may be changed here is no card of its own. */
const FIRST = ["goal", "train", "improve", "evaluate", "release"];
const place = ({ table }: Part) => (FIRST.includes(table) ? FIRST.indexOf(table) : FIRST.length);
const inOrder = (sections: Part[]) => [...sections].sort((one, other) => place(one) - place(other));

type Lines = (one: Setting) => ReactNode;

function Section({ of, line }: { of: Part; line: Lines }) {
  const rows = of.settings.filter((one) => one.effect !== "file").map(line);
  if (!rows.some(Boolean)) return null;
  return (
    <Card title={<code className="config-table">[{of.table}]</code>} note={of.meaning.replaceAll("`", "")}>
      <ul className="config">{rows}</ul>
    </Card>
  );
}

/** What names a place, or says what is learnt: to be read here, and changed by whoever has the machine. */
function InFile({ sections, line, isOpen }: { sections: Part[]; line: Lines; isOpen: boolean }) {
  const { t } = useTranslation();
  const parts = sections
    .map((of) => ({
      ...of,
      rows: of.settings
        .filter((one) => one.effect === "file")
        .map(line)
        .filter(Boolean),
    }))
    .filter((of) => of.rows.length);
  if (!parts.length) return null;
  return (
    <Card title={t("config.in_file")} note={t("config.in_file.note")}>
      {parts.map((of) => (
        <details key={`${of.table} ${isOpen}`} className="config-fixed" open={isOpen}>
          <summary>
            <code className="config-table">[{of.table}]</code> {of.meaning.replaceAll("`", "")}
          </summary>
          <ul className="config">{of.rows}</ul>
        </details>
      ))}
    </Card>
  );
}

function Save(props: { name: string; etag: string; wanted: Values; onDone: () => void; onReread: () => void }) {
  const { t } = useTranslation();
  const change = useChangeSettings(props.name);
  const may = useMay("admin");
  const names = Object.keys(props.wanted);
  const isOutdated = change.error instanceof Problem && change.error.status === 412;
  const over = (then: () => void) => () => {
    change.reset();
    then();
  };
  if (!names.length) return <Twin {...twinOf(props.name, { "goal.at_least": 0.9 })} />;
  return (
    <div className="config-save" role="region" aria-label={t("config.unsaved", { count: names.length })}>
      {change.error && <Trouble error={change.error} />}
      <div className="row between">
        <p>{t("config.unsaved", { count: names.length })}</p>
        <span className="row">
          <Button onClick={over(props.onDone)}>{t("config.drop")}</Button>
          {isOutdated ? (
            <Button type="primary" onClick={over(props.onReread)}>
              {t("config.reread")}
            </Button>
          ) : (
            <Button
              type="primary"
              loading={change.isPending}
              disabled={!may}
              onClick={() => change.mutate({ changes: props.wanted, etag: props.etag }, { onSuccess: props.onDone })}
            >
              {t("config.save")}
            </Button>
          )}
        </span>
      </div>
      <Twin {...twinOf(props.name, props.wanted)} />
    </div>
  );
}

const twinOf = (name: string, wanted: Values) => ({
  cli: Object.entries(wanted)
    .map(([key, value]) =>
      value === null ? `feilun config unset ${key} ${name}` : `feilun config set ${key} ${quoted(value)} ${name}`,
    )
    .join("\n"),
  api: `PATCH /v1/projects/${name}/settings\n${JSON.stringify({ changes: wanted })}`,
});

const quoted = (value: unknown) => (Array.isArray(value) ? `'${JSON.stringify(value)}'` : String(value));
