// Letting another model answer. The goal is the law: against it, an override needs a reason and a name (without a key,
// nobody is known by one), and stays in the log.
import { Checkbox } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "../api/client";
import { useIsNamed } from "../api/session";
import { useRelease } from "../api/verbs";
import { Button, Input, Sheet, TextArea, Trouble, Twin } from "../kit/parts";

export function Promote({ name, modelId, onClose }: { name: string; modelId: string | null; onClose: () => void }) {
  const { t } = useTranslation();
  const release = useRelease(name);
  const isNamed = useIsNamed();
  const [reason, setReason] = useState("");
  const [override, setOverride] = useState(false);
  const [actor, setActor] = useState("");
  const { reset } = release;
  useEffect(() => {
    setReason("");
    setOverride(false);
    reset();
  }, [modelId, reset]);
  const misses = release.error instanceof Problem && release.error.code === "release.goal_not_met";
  const mustSign = override && !isNamed;
  const wish = { action: "promote" as const, model_id: modelId, reason, override, actor: mustSign ? actor.trim() : "" };
  const lacks = override && !(reason.trim() && (wish.actor || !mustSign));
  return (
    <Sheet
      open={modelId !== null}
      title={t("release.promote.title")}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button
            type="primary"
            loading={release.isPending}
            disabled={lacks}
            onClick={() => release.mutate(wish, { onSuccess: onClose })}
          >
            {t("release.promote")}
          </Button>
        </>
      }
    >
      <div className="stack">
        <p className="quiet">{t("release.promote.text", { model: modelId })}</p>
        {release.error && <Trouble error={release.error} />}
        <label className="field">
          <span>{t(override ? "release.reason.needed" : "release.reason")}</span>
          <TextArea rows={2} maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />
        </label>
        {misses && (
          <Checkbox checked={override} onChange={(event) => setOverride(event.target.checked)}>
            {t("release.override")}
          </Checkbox>
        )}
        {mustSign && (
          <label className="field">
            <span>{t("release.actor")}</span>
            <Input maxLength={64} value={actor} onChange={(event) => setActor(event.target.value)} />
          </label>
        )}
        <Twin
          cli={`feilun release promote ${name} --model ${modelId} --reason "${reason}"`}
          api={`POST /v1/projects/${name}/releases\n${JSON.stringify(wish)}`}
        />
      </div>
    </Sheet>
  );
}
