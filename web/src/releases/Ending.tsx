// An ending: back to the model that answered before, or no shadow and no canary any more. A release like any other.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useRelease } from "../api/verbs";
import { Button, Sheet, TextArea, Trouble, Twin } from "../kit/parts";

export function Ending(props: { name: string; action: "rollback" | "stop"; open: boolean; onClose: () => void }) {
  const { name, action, open, onClose } = props;
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
      title={t(`release.${action}.title`)}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button
            type="primary"
            loading={release.isPending}
            onClick={() => release.mutate({ action, reason, override: false, actor: "" }, { onSuccess: onClose })}
          >
            {t(`release.${action}`)}
          </Button>
        </>
      }
    >
      <div className="stack">
        <p className="quiet">{t(`release.${action}.text`)}</p>
        {release.error && <Trouble error={release.error} />}
        <label className="field">
          <span>{t("release.reason")}</span>
          <TextArea rows={2} maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />
        </label>
        <Twin
          cli={`feilun release ${action} ${name} --reason "${reason}"`}
          api={`POST /v1/projects/${name}/releases\n${JSON.stringify({ action, reason })}`}
        />
      </div>
    </Sheet>
  );
}
