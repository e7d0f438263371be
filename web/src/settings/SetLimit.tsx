// What a key or a tenant may use: all of it at once, an empty field is no limit. The operator's to say.
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useKeys, useLimits, useSetLimit, useTenants, type LimitWish } from "../api/settings";
import { Button, Input, Select, Sheet, Trouble, Twin } from "../kit/parts";

type Field = "per_minute" | "monthly_requests" | "monthly_characters";
const FIELDS: { name: Field; word: string; option: string }[] = [
  { name: "per_minute", word: "limits.per_minute", option: "--per-minute" },
  { name: "monthly_requests", word: "limits.requests", option: "--monthly-requests" },
  { name: "monthly_characters", word: "limits.characters", option: "--monthly-characters" },
];
const NOTHING = { per_minute: null, monthly_requests: null, monthly_characters: null };

export function SetLimit({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const keys = (useKeys().data ?? []).filter((key) => key.revoked_at === null);
  const tenants = useTenants().data ?? [];
  const limits = useLimits().data ?? [];
  const set = useSetLimit();
  const [wish, setWish] = useState<LimitWish>({ subject: "tenant", id: "", ...NOTHING });
  const choose = (chosen: string) => {
    const [subject, id] = chosen.split(/ (.*)/) as [LimitWish["subject"], string];
    const now = limits.find((one) => one.subject === subject && one.subject_id === id);
    const { per_minute, monthly_requests, monthly_characters } = { ...NOTHING, ...now };
    setWish({ subject, id, per_minute, monthly_requests, monthly_characters });
  };
  const close = () => {
    set.reset();
    onClose();
  };
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    set.mutate(wish, { onSuccess: close });
  };
  const said = FIELDS.filter(({ name }) => wish[name] !== null).map(({ name, option }) => `${option} ${wish[name]}`);
  const { subject, id, ...asked } = wish;
  return (
    <Sheet open={open} title={t("limits.set")} onClose={close}>
      <form className="stack" onSubmit={save}>
        {set.error && <Trouble error={set.error} />}
        <label className="field">
          <span>{t("limits.whose")}</span>
          <Select<string>
            value={id ? `${subject} ${id}` : null}
            onChange={choose}
            options={[
              ...tenants.map((one) => ({
                value: `tenant ${one.tenant}`,
                label: t("limits.of_tenant", { name: one.name }),
              })),
              ...keys.map((one) => ({ value: `key ${one.key_id}`, label: t("limits.of_key", { name: one.name }) })),
            ]}
          />
        </label>
        {FIELDS.map(({ name, word }) => (
          <label className="field" key={name}>
            <span>{t(word)}</span>
            <Input
              type="number"
              min={name === "per_minute" ? 1 : 0}
              value={wish[name] ?? ""}
              placeholder={t("limits.no_limit")}
              onChange={(event) =>
                setWish({ ...wish, [name]: event.target.value === "" ? null : Number(event.target.value) })
              }
            />
          </label>
        ))}
        <Twin
          cli={["feilun limit set", `--${subject} ${id}`, ...said].join(" ")}
          api={`PUT /v1/limits/${subject}/${id}\n${JSON.stringify(asked)}`}
        />
        <footer>
          <Button onClick={close}>{t("cancel")}</Button>
          <Button type="primary" htmlType="submit" loading={set.isPending} disabled={!id}>
            {t("limits.save")}
          </Button>
        </footer>
      </form>
    </Sheet>
  );
}
