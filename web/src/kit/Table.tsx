// Apart from the other parts, so that the screens without a table do not load it.
import { Table as AntTable, type TableProps } from "antd";

/** A table that scrolls sideways by itself where it is wider than the screen; `label` names it for screen readers. */
export function Table<Row extends object>({ label, ...props }: TableProps<Row> & { label: string }) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={label}>
      <AntTable<Row> size="middle" pagination={false} {...props} />
    </div>
  );
}
