// What a file seems to hold: which column is which, its first rows, its classes.
import { useTranslation } from "react-i18next";
import { columnsOf, type Columns, type Waiting } from "../api/files";
import { count } from "../kit/format";
import { Bar, Card, Select } from "../kit/parts";
import { Table } from "../kit/Table";
import "./start.css";

const MOST_CLASSES = 12;

export function Preview(props: { of: Waiting; isBusy: boolean; onColumns: (columns: Columns) => void }) {
  const { t } = useTranslation();
  const { of, isBusy, onColumns } = props;
  const choices = of.columns.map((one) => ({ value: one, label: one }));
  return (
    <>
      <Card
        title={of.name}
        note={[
          of.format.toUpperCase(),
          of.encoding !== of.format && of.encoding.toUpperCase(),
          of.n_rows !== null && t("preview.rows", { count: of.n_rows }),
        ]
          .filter(Boolean)
          .join(" · ")}
      >
        <div className="stack">
          {of.trouble && (
            <p className="bad" role="alert">
              {of.trouble}
            </p>
          )}
          <div className="row">
            {(["text", "label"] as const).map((what) => (
              <label className="field" key={what}>
                <span>{t(`preview.${what}`)}</span>
                <Select
                  className="column"
                  value={of[what]}
                  loading={isBusy}
                  options={choices}
                  aria-label={t(`preview.${what}`)}
                  onChange={(column: string) => onColumns({ ...columnsOf(of), [what]: column })}
                />
              </label>
            ))}
          </div>
          {of.notes.length > 0 && (
            <ul className="notes">
              {of.notes.map((note) => (
                <li key={note}>{note}</li>
              ))}
            </ul>
          )}
          <Table
            label={t("preview.first")}
            size="small"
            pagination={false}
            rowKey={(row) => row.key}
            dataSource={of.rows.slice(0, 8).map((cells, key) => ({ key, cells }))}
            columns={of.columns.map((title, at) => ({
              title,
              className: title === of.text || title === of.label ? "chosen-column" : "",
              render: (_: unknown, row: { cells: string[] }) => <span className="cell">{row.cells[at]}</span>,
            }))}
          />
        </div>
      </Card>
      {of.labels.length > 0 && <Classes of={of} />}
    </>
  );
}

function Classes({ of }: { of: Waiting }) {
  const { t } = useTranslation();
  const most = Math.max(...of.labels.map((one) => one.n));
  return (
    <Card title={t("preview.classes", { count: of.labels.length })} note={t("preview.classes.note")}>
      <ul className="classes">
        {of.labels.slice(0, MOST_CLASSES).map((one) => (
          <li key={one.label}>
            <span>{one.label}</span>
            <Bar share={one.n / most} label={count(one.n)} />
            <em className="num">{count(one.n)}</em>
          </li>
        ))}
      </ul>
      {of.labels.length > MOST_CLASSES && (
        <p className="quiet small">{t("preview.classes.more", { n: count(of.labels.length - MOST_CLASSES) })}</p>
      )}
    </Card>
  );
}
