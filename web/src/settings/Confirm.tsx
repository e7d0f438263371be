// Asks before something that somebody else will feel.
import { useTranslation } from "react-i18next";
import { Button, Sheet, Trouble, Twin } from "../kit/parts";

export function Confirm(props: {
  open: boolean;
  title: string;
  text: string;
  word: string;
  error: unknown;
  isBusy: boolean;
  twin: { cli: string; api: string };
  onYes: () => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  return (
    <Sheet
      open={props.open}
      title={props.title}
      onClose={props.onClose}
      footer={
        <>
          <Button onClick={props.onClose}>{t("cancel")}</Button>
          <Button type="primary" danger loading={props.isBusy} onClick={props.onYes}>
            {props.word}
          </Button>
        </>
      }
    >
      <div className="stack">
        {props.error ? <Trouble error={props.error} /> : null}
        <p>{props.text}</p>
        <Twin {...props.twin} />
      </div>
    </Sheet>
  );
}
