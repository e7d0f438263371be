// Which messages: by what they were, what they were taken for, how sure the model was, and which slice they are of.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Card, Input, Segmented, Select } from "../kit/parts";
import { LENGTHS, SURENESS, nameOf } from "./wanted";

const SETTLED_MS = 350; // a pause in typing, after which the list follows
const NOTHING = "\u0000"; // a select takes "" for no choice, and we mean the label that was not given

type Props = {
  labels: string[];
  sources: string[];
  address: URLSearchParams;
  onSet: (changes: Record<string, string | undefined>) => void;
};

export function Filters({ labels, sources, address, onSet }: Props) {
  const { t } = useTranslation();
  const every = [...labels.map((value) => ({ value, label: value })), { value: NOTHING, label: t("matrix.nothing") }];
  const pick = (key: string, options: { value: string; label: string }[], otherwise?: string) => {
    const now = address.get(key) ?? otherwise;
    return (
      <label className="field" key={key}>
        <span>{t(`errors.by.${key}`)}</span>
        <Select
          allowClear={otherwise === undefined}
          showSearch
          aria-label={t(`errors.by.${key}`)}
          placeholder={t("errors.any")}
          value={now === "" ? NOTHING : now}
          onChange={(value: string | undefined) => onSet({ [key]: value === NOTHING ? "" : value })}
          options={options}
        />
      </label>
    );
  };
  const named = (key: string, values: string[]) =>
    values.map((value) => ({ value, label: t(`errors.${key}.${value}`) }));
  return (
    <Card>
      <div className="stack">
        <div className="row between">
          <Segmented<string>
            aria-label={t("errors.show")}
            value={address.get("show") ?? "wrong"}
            onChange={(show) => onSet({ show })}
            options={named("show", ["wrong", "right", "all"])}
          />
          <Search value={address.get("text") ?? ""} onSet={(text) => onSet({ text: text || undefined })} />
        </div>
        <div className="filters">
          {pick("gold", every)}
          {pick("predicted", every)}
          {pick("sure", named("sure", Object.keys(SURENESS)))}
          {pick("script", named("script", ["han", "latin", "other"]))}
          {pick("length", named("length", Object.keys(LENGTHS)))}
          {sources.length > 1 &&
            pick(
              "source",
              sources.map((value) => ({ value, label: nameOf(value) })),
            )}
          {pick("order", named("order", ["surest", "least_sure", "as_stored"]), "surest")}
        </div>
      </div>
    </Card>
  );
}

function Search({ value, onSet }: { value: string; onSet: (text: string) => void }) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState(value);
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => onSet(typed), SETTLED_MS);
    return () => clearTimeout(timer);
  });
  return (
    <Input
      className="search"
      type="search"
      aria-label={t("errors.search")}
      placeholder={t("errors.search")}
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      allowClear
    />
  );
}
