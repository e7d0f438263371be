// feilun.toml of a project, section by section: what stands, what it means, and other values where that is safe.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useName } from "../app/Shell";
import type { Shapes } from "../api/client";
import { useChangeSettings, useSettings, type Setting } from "../api/operate";
import { useMay } from "../api/session";
import { Button, Card, Given, Page, Trouble, Twin } from "../kit/parts";
import { useAddress } from "../app/address";
import { Line } from "./Line";
import { isSame, type Values } from "./values";
import "./config.css";

type Read = Shapes["SettingsReply"];

export default function Config() {
  const { t } = useTranslation();
  const name = useName();
  return (
    <Page title={t("config.title")} lead={t("config.lead")}>
      <Given of={useSettings(name)}>{(of) => <Desk key={of.etag} name={name} of={of} />}</Given>
    </Page>
  );
}

/** What was changed and not yet saved lies here; a file that is another one by now begins anew. */
function Desk({ name, of }: { name: string; of: Read }) {
  const { t } = useTranslation();
  const [wanted, want] = useState<Values>({});
  const [address, setAddress] = useAddress();
  const shown = address.get("show") === "changed";
  const set = (one: Setting, value: unknown) =>
    want(({ [one.name]: _, ...rest }) => (isSame(value, one.value) ? rest : { ...rest, [one.name]: value }));
  return (
    <>
      <label className="row config-filter">
        <input
          type="checkbox"
          checked={shown}
          onChange={(event) => setAddress({ show: event.target.checked ? "changed" : undefined })}
        />
        {t("config.only_changed")}
      </label>
      {of.sections.map((section) => (
        <Section key={section.table} of={section} wanted={wanted} isShort={shown} onSet={set} />
      ))}
      <Save name={name} etag={of.etag} wanted={wanted} onDrop={() => want({})} />
    </>
  );
}

function Section(props: {
  of: Read["sections"][number];
  wanted: Values;
  isShort: boolean;
  onSet: (one: Setting, value: unknown) => void;
}) {
  const { t } = useTranslation();
  const { table, meaning, settings } = props.of;
  const wanted = (one: Setting) => one.name in props.wanted;
  const rows = settings.filter((one) => !props.isShort || !one.is_default || wanted(one));
  const [open, fixed] = [rows.filter((one) => one.effect !== "file"), rows.filter((one) => one.effect === "file")];
  if (!rows.length) return null;
  const line = (one: Setting) => (
    <Line
      key={one.name}
      of={one}
      value={wanted(one) ? props.wanted[one.name] : one.value}
      isWanted={wanted(one)}
      onSet={(value) => props.onSet(one, value)}
    />
  );
  return (
    <Card title={<code className="config-table">[{table}]</code>} note={meaning}>
      {open.length > 0 && <ul className="config">{open.map(line)}</ul>}
      {fixed.length > 0 && (
        <details className="config-fixed" open={props.isShort}>
          <summary>{t("config.in_file", { count: fixed.length })}</summary>
          <ul className="config">{fixed.map(line)}</ul>
        </details>
      )}
    </Card>
  );
}

function Save(props: { name: string; etag: string; wanted: Values; onDrop: () => void }) {
  const { t } = useTranslation();
  const change = useChangeSettings(props.name);
  const may = useMay("admin");
  const names = Object.keys(props.wanted);
  if (!names.length) return <Twin {...twinOf(props.name, { "goal.at_least": 0.9 })} />;
  return (
    <div className="config-save" role="region" aria-label={t("config.unsaved", { count: names.length })}>
      {change.error && <Trouble error={change.error} />}
      <div className="row between">
        <p>{t("config.unsaved", { count: names.length })}</p>
        <span className="row">
          <Button onClick={props.onDrop}>{t("config.drop")}</Button>
          <Button
            type="primary"
            loading={change.isPending}
            disabled={!may}
            onClick={() => change.mutate({ changes: props.wanted, etag: props.etag })}
          >
            {t("config.save")}
          </Button>
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
