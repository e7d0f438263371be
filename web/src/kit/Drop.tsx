// A place to drop a file on, or to choose one with mouse or keyboard.
import { useRef, useState, type DragEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "./parts";

const KINDS = ".csv,.tsv,.tab,.txt,.json,.jsonl,.ndjson,.xlsx,.parquet";

export function Drop(props: { label: ReactNode; note?: ReactNode; isBusy: boolean; onFile: (file: File) => void }) {
  const { t } = useTranslation();
  const { label, note, isBusy, onFile } = props;
  const field = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  const take = (files: FileList | null) => {
    const file = files?.[0];
    if (file && !isBusy) onFile(file);
  };
  const drag = (over: boolean) => (event: DragEvent) => {
    event.preventDefault();
    setOver(over);
  };
  return (
    <div
      className={isOver ? "drop over" : "drop"}
      onDragOver={drag(true)}
      onDragLeave={drag(false)}
      onDrop={(event) => {
        drag(false)(event);
        take(event.dataTransfer.files);
      }}
    >
      <p>{label}</p>
      {note && <p className="quiet small">{note}</p>}
      <Button type="primary" loading={isBusy} onClick={() => field.current?.click()}>
        {t("drop.choose")}
      </Button>
      <input
        ref={field}
        type="file"
        accept={KINDS}
        hidden
        onChange={(event) => {
          take(event.target.files);
          event.target.value = ""; // the same file again is a change too
        }}
      />
    </div>
  );
}
