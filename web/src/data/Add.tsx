// More messages for a project: drop a file, say which column is which, add it.
import { useTranslation } from "react-i18next";
import { columnsOf, useAddData, useFile } from "../api/files";
import { Drop } from "../kit/Drop";
import { Button, Card, Trouble, Twin } from "../kit/parts";
import { Preview } from "../start/Preview";

export function Add({ name }: { name: string }) {
  const { t } = useTranslation();
  const hand = useFile();
  const add = useAddData(name);
  const { file } = hand;
  const send = (chosen: File) => {
    add.reset();
    hand.send(chosen);
  };
  if (!file)
    return (
      <Card title={t("add.title")}>
        <div className="stack">
          <Drop label={t("add.drop")} note={t("start.drop.note")} isBusy={hand.isSending} onFile={send} />
          {hand.error && <Trouble error={hand.error} />}
          {add.isSuccess && (
            <p role="status" className="good">
              {t("add.done")}
            </p>
          )}
        </div>
      </Card>
    );
  const wish = { upload_id: file.upload_id, ...columnsOf(file) };
  const trouble = hand.error ?? add.error;
  return (
    <>
      <Preview of={file} isBusy={hand.isLooking} onColumns={hand.look} />
      <div className="stack">
        {trouble && <Trouble error={trouble} />}
        <div className="row">
          <Button
            type="primary"
            loading={add.isPending}
            disabled={!file.label || Boolean(file.trouble)}
            onClick={() => add.mutate(wish, { onSuccess: hand.used })}
          >
            {t("add.add")}
          </Button>
          <Button onClick={hand.drop}>{t("cancel")}</Button>
        </div>
        <Twin
          cli={`feilun data add ${file.name} ${name}`}
          api={`POST /v1/projects/${name}/data\n${JSON.stringify(wish)}`}
        />
      </div>
    </>
  );
}
