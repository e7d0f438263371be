// What is shown this once: a key, or the code of an invitation.
import { useTranslation } from "react-i18next";
import { Button, Code, Sheet } from "../kit/parts";

export function Secret(props: { secret: string | null; title: string; lead: string; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Sheet
      open={props.secret !== null}
      title={props.title}
      onClose={props.onClose}
      footer={
        <Button type="primary" onClick={props.onClose}>
          {t("secret.kept")}
        </Button>
      }
    >
      <div className="stack">
        <p className="quiet">{props.lead}</p>
        <Code text={props.secret ?? ""} />
        <p className="small">{t("secret.once")}</p>
      </div>
    </Sheet>
  );
}
