// More messages for a project: drop a file, say which column is which, add it.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { removeUpload, useAddData, useLook, useUpload, type Waiting } from "../api/files";
import { Drop } from "../kit/Drop";
import { Button, Card, Trouble, Twin } from "../kit/parts";
import { Preview } from "../start/Preview";

export function Add({ name }: { name: string }) {
  const { t } = useTranslation();
  const [file, setFile] = useState<Waiting | null>(null);
  const upload = useUpload();
  const look = useLook();
  const add = useAddData(name);
  const done = () => {
    setFile(null);
    upload.reset();
  };
  const drop = () => {
    if (file) void removeUpload(file.upload_id);
    done();
  };
  if (!file)
    return (
      <Card title={t("add.title")}>
        <div className="stack">
          <Drop
            label={t("add.drop")}
            note={t("start.drop.note")}
            isBusy={upload.isPending}
            onFile={(chosen) => {
              add.reset();
              upload.mutate(chosen, { onSuccess: setFile });
            }}
          />
          {upload.error && <Trouble error={upload.error} />}
          {add.isSuccess && (
            <p role="status" className="good">
              {t("add.done")}
            </p>
          )}
        </div>
      </Card>
    );
  const wish = {
    upload_id: file.upload_id,
    ...(file.text ? { text: file.text } : {}),
    ...(file.label ? { label: file.label } : {}),
  };
  return (
    <>
      <Preview
        of={file}
        isBusy={look.isPending}
        onColumns={(columns) => look.mutate({ uploadId: file.upload_id, columns }, { onSuccess: setFile })}
      />
      <div className="stack">
        {(look.error ?? add.error) && <Trouble error={look.error ?? add.error} />}
        <div className="row">
          <Button
            type="primary"
            loading={add.isPending}
            disabled={!file.label || Boolean(file.trouble)}
            onClick={() => add.mutate(wish, { onSuccess: done })}
          >
            {t("add.add")}
          </Button>
          <Button onClick={drop}>{t("cancel")}</Button>
        </div>
        <Twin
          cli={`feilun data add ${file.name} ${name}`}
          api={`POST /v1/projects/${name}/data\n${JSON.stringify(wish)}`}
        />
      </div>
    </>
  );
}
