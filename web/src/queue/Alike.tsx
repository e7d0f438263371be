// Messages that wait too and mean much the same: one label for all that are ticked.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Shapes } from "../api/client";
import { percent } from "../kit/format";
import { Button, Given, Select, Sheet, Twin } from "../kit/parts";
import { textOf, type Row } from "./outbox";

type Similar = Shapes["SimilarRow"];

export function Alike(props: {
  name: string;
  row: Row;
  project: Shapes["ProjectReply"];
  find: (predictionId: string) => Promise<Shapes["SimilarReply"]>;
  onGive: (rows: Row[], labels: string[]) => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const { name, row, project, find, onGive, onClose } = props;
  const found = useQuery({
    queryKey: [name, "similar", row.prediction_id],
    queryFn: () => find(String(row.prediction_id)),
    select: (page) => page.similar,
    gcTime: 0, // what waits is another thing a moment later
  });
  const [labels, setLabels] = useState<string[]>(row.labels.filter((label) => project.labels.includes(label)));
  const [changed, setChanged] = useState<Record<string, boolean>>({}); // by a person
  const isTicked = (one: Similar) => changed[one.example_id] ?? one.is_sure;
  const chosen = [row, ...(found.data ?? []).filter(isTicked)];
  const give = () => {
    onGive(chosen, labels);
    onClose();
  };
  const shared = {
    "aria-label": t("queue.alike.label"),
    className: "wide",
    showSearch: true,
    options: project.labels.map((label) => ({ value: label, label })),
  };
  return (
    <Sheet
      open
      title={t("queue.alike.title")}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="primary" disabled={labels.length === 0 || !found.data} onClick={give}>
            {t("queue.alike.give", { count: chosen.length })}
          </Button>
        </>
      }
    >
      <div className="stack alike">
        <blockquote>{textOf(row)}</blockquote>
        {project.is_multi_label ? (
          <Select mode="multiple" value={labels} onChange={(picked: string[]) => setLabels(picked)} {...shared} />
        ) : (
          <Select
            value={labels[0] ?? null}
            onChange={(picked: string | null) => setLabels(picked ? [picked] : [])}
            {...shared}
          />
        )}
        <Given of={found}>
          {(rows) =>
            rows.length === 0 ? (
              <p className="quiet">{t("queue.alike.none")}</p>
            ) : (
              <>
                <div className="row between">
                  <p className="quiet small">{t("queue.alike.note")}</p>
                  <Button
                    size="small"
                    onClick={() => setChanged(Object.fromEntries(rows.map((one) => [one.example_id, true])))}
                  >
                    {t("queue.alike.all")}
                  </Button>
                </div>
                <ul>
                  {rows.map((one) => (
                    <li key={one.example_id}>
                      <label>
                        <input
                          type="checkbox"
                          checked={isTicked(one)}
                          onChange={(event) => setChanged({ ...changed, [one.example_id]: event.target.checked })}
                        />
                        <span>{textOf(one)}</span>
                        <em className="num quiet small">{percent(one.similarity, 0)}</em>
                      </label>
                    </li>
                  ))}
                </ul>
              </>
            )
          }
        </Given>
        <Twin
          cli={`feilun feedback similar ${row.prediction_id} ${name}`}
          api={`POST /v1/projects/${name}/queue/desks/{desk}/similar?prediction_id=${row.prediction_id}`}
        />
      </div>
    </Sheet>
  );
}
