// Which messages: by what they were, what they were taken for, how sure the model was, and which slice they are of.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Card, Input, Segmented, Select } from "../kit/parts";
import { LENGTHS, SURENESS } from "./wanted";

const SETTLED_MS = 350; // a pause in typing, after which the list follows
const NOTHING = "\u0000"; // a select takes "" for no choice, and we mean the label that was not given

type Props = {
  labels: string[];
  address: URLSearchParams;
  onSet: (changes: Record<string, string | undefined>) => void;
};

export function Filters({ labels, address, onSet }: Props) {
  const { t } = useTranslation();
  const named = [...labels.map((value) => ({ value, label: value })), { value: NOTHING, label: t("matrix.nothing") }];
  const pick = (key: string, options: { value: string; label: string }[]) => {
    const now = address.get(key);
    return (
      <label className="field" key={key}>
        <span>{t(`errors.by.${key}`)}</span>
        <Select
          allowClear
          showSearch
          aria-label={t(`errors.by.${key}`)}
          placeholder={t("errors.any")}
          value={now === "" ? NOTHING : (now ?? undefined)}
          onChange={(value: string | undefined) => onSet({ [key]: value === NOTHING ? "" : value })}
          options={options}
        />
      </label>
    );
  };
  const named_as = (key: string, values: string[]) =>
    values.map((value) => ({ value, label: t(`errors.${key}.${value}`) }));
  return (
    <Card>
      <div className="stack">
        <div className="row between">
          <Segmented<string>
            aria-label={t("errors.show")}
            value={address.get("show") ?? "wrong"}
            onChange={(show) => onSet({ show })}
            options={named_as("show", ["wrong", "right", "all"])}
          />
          <Search value={address.get("text") ?? ""} onSet={(text) => onSet({ text: text || undefined })} />
        </div>
        <div className="filters">
          {pick("gold", named)}
          {pick("predicted", named)}
          {pick("sure", named_as("sure", Object.keys(SURENESS)))}
          {pick("script", named_as("script", ["han", "latin", "other"]))}
          {pick("length", named_as("length", Object.keys(LENGTHS)))}
          {pick("order", named_as("order", ["surest", "least_sure", "as_stored"]))}
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
