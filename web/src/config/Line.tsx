// One setting: its name and meaning, and its value, which may be changed where that is safe.
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Setting } from "../api/operate";
import { useMay } from "../api/session";
import { Button, Input, Pill, Select } from "../kit/parts";
import { isSame } from "./values";

type Props = { of: Setting; value: unknown; isWanted: boolean; onSet: (value: unknown) => void };

export function Line(props: Props) {
  const { t } = useTranslation();
  const { of, value, isWanted } = props;
  const id = useId();
  const may = useMay("admin") && of.effect !== "file";
  return (
    <li className={isWanted ? "wanted" : ""}>
      <div>
        <span className="row">
          <b className="mono" id={id}>
            {of.name}
          </b>
          {!of.is_default && <Pill tone="accent">{t("config.changed")}</Pill>}
        </span>
        <p>{of.meaning.replaceAll("`", "")}</p>
        <p className="small quiet">
          {[of.allowed, t("config.default", { value: shown(of.default, t("config.empty")) })]
            .filter(Boolean)
            .join(" · ")}
        </p>
      </div>
      <div className="config-value">
        {may ? <Control of={of} value={value} onSet={props.onSet} labelledBy={id} /> : <Fixed of={of} />}
        {may && (
          <span className="row small quiet">
            {t(`config.effect.${of.effect}`)}
            {!isSame(value, of.default) && (
              <Button type="link" size="small" onClick={() => props.onSet(of.default)}>
                {t("config.to_default")}
              </Button>
            )}
          </span>
        )}
      </div>
    </li>
  );
}

function Fixed({ of }: { of: Setting }) {
  const { t } = useTranslation();
  if (of.is_hidden) return <span className="quiet">{of.is_default ? t("config.empty") : t("config.hidden")}</span>;
  return <code className="config-fixed-value">{shown(of.value, t("config.empty"))}</code>;
}

function Control({ of, value, onSet, labelledBy }: Omit<Props, "isWanted"> & { labelledBy: string }) {
  const { t } = useTranslation();
  if (of.kind === "switch")
    return (
      <Select<string>
        aria-labelledby={labelledBy}
        value={String(value)}
        onChange={(chosen) => onSet(chosen === "true")}
        options={["true", "false"].map((one) => ({
          value: one,
          label: t(one === "true" ? "config.on" : "config.off"),
        }))}
      />
    );
  if (of.kind === "choice")
    return (
      <Select<string>
        aria-labelledby={labelledBy}
        value={String(value)}
        onChange={onSet}
        options={of.choices.map((one) => ({ value: one, label: one }))}
      />
    );
  if (of.kind === "choices")
    return (
      <Select<string[]>
        mode="multiple"
        aria-labelledby={labelledBy}
        value={value as string[]}
        onChange={onSet}
        options={of.choices.map((one) => ({ value: one, label: one }))}
      />
    );
  return <Typed of={of} value={value} onSet={onSet} labelledBy={labelledBy} />;
}

function Typed({ of, value, onSet, labelledBy }: Omit<Props, "isWanted"> & { labelledBy: string }) {
  const { t } = useTranslation();
  const [typed, type] = useState(plain(value));
  const isNumber = of.kind !== "text";
  return (
    <Input
      aria-labelledby={labelledBy}
      inputMode={isNumber ? "decimal" : "text"}
      value={isSame(read(typed, isNumber), value) ? typed : plain(value)} // "0." is on its way to 0.5
      placeholder={of.may_be_empty ? t("config.empty") : ""}
      onChange={(event) => {
        type(event.target.value);
        onSet(read(event.target.value, isNumber));
      }}
    />
  );
}

const plain = (value: unknown) => (value === null ? "" : String(value));

/** A number where one can be read, nothing where nothing stands; the server judges the rest. */
function read(text: string, isNumber: boolean): unknown {
  if (text.trim() === "") return null;
  return isNumber && Number.isFinite(Number(text)) ? Number(text) : text;
}

function shown(value: unknown, empty: string): string {
  if (value === null || value === "" || isSame(value, []) || isSame(value, {})) return empty;
  return typeof value === "string" ? value : JSON.stringify(value);
}
