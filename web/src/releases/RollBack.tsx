// Back to the model that answered before: a release like any other, in one step.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useRelease } from "../api/verbs";
import { Button, Sheet, TextArea, Trouble, Twin } from "../kit/parts";

export function RollBack({ name, open, onClose }: { name: string; open: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const release = useRelease(name);
  const [reason, setReason] = useState("");
  const { reset } = release;
  useEffect(() => {
    setReason("");
    reset();
  }, [open, reset]);
  return (
    <Sheet
      open={open}
      title={t("release.rollback.title")}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button
            type="primary"
            loading={release.isPending}
            onClick={() =>
              release.mutate({ action: "rollback", reason, override: false, actor: "" }, { onSuccess: onClose })
            }
          >
            {t("release.rollback")}
          </Button>
        </>
      }
    >
      <div className="stack">
        <p className="quiet">{t("release.rollback.text")}</p>
        {release.error && <Trouble error={release.error} />}
        <label className="field">
          <span>{t("release.reason")}</span>
          <TextArea rows={2} maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />
        </label>
        <Twin
          cli={`feilun release rollback ${name} --reason "${reason}"`}
          api={`POST /v1/projects/${name}/releases\n${JSON.stringify({ action: "rollback", reason })}`}
        />
      </div>
    </Sheet>
  );
}
