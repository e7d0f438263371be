// Letting another model answer. The goal is the law: against it, an override needs a reason and stays in the log.
import { Checkbox } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "../api/client";
import { useRelease } from "../api/verbs";
import { Button, Sheet, TextArea, Trouble, Twin } from "../kit/parts";

export function Promote({ name, modelId, onClose }: { name: string; modelId: string | null; onClose: () => void }) {
  const { t } = useTranslation();
  const release = useRelease(name);
  const [reason, setReason] = useState("");
  const [override, setOverride] = useState(false);
  const { reset } = release;
  useEffect(() => {
    setReason("");
    setOverride(false);
    reset();
  }, [modelId, reset]);
  const misses = release.error instanceof Problem && release.error.code === "release.goal_not_met";
  const go = () =>
    modelId && release.mutate({ action: "promote", model_id: modelId, reason, override }, { onSuccess: onClose });
  return (
    <Sheet
      open={modelId !== null}
      title={t("release.promote.title")}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="primary" loading={release.isPending} disabled={override && !reason.trim()} onClick={go}>
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
        <Twin
          cli={`feilun release promote ${name} --model ${modelId} --reason "${reason}"`}
          api={`POST /v1/projects/${name}/releases\n${JSON.stringify({ action: "promote", model_id: modelId, reason, override })}`}
        />
      </div>
    </Sheet>
  );
}
