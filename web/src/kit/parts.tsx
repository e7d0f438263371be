// The parts that every screen is made of. What comes from Ant Design comes through here, so that the kit can change.
import { Button as AntButton, Input as AntInput, Select as AntSelect, Segmented as AntSegmented, Skeleton } from "antd";
import type { ButtonProps } from "antd";
import { useEffect, useId, useRef, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Problem, type Shapes } from "../api/client";
import { metric as figure } from "./format";

export const Input = AntInput;
export const TextArea = AntInput.TextArea;
export const Select = AntSelect;
export const Segmented = AntSegmented;

/** Busy or not, it keeps its name: the kit's own wheel would be read out as a part of it. */
export function Button({ loading, ...props }: ButtonProps) {
  const wheel = loading ? { icon: <span className="busy" aria-hidden="true" /> } : false;
  return <AntButton {...props} loading={wheel} aria-busy={Boolean(loading)} autoInsertSpace={false} />;
}

export function Page({
  title,
  lead,
  action,
  children,
}: {
  title: ReactNode;
  lead?: ReactNode;
  action?: ReactNode;
  children: ReactNode;
}) {
  return (
    <main className="page" id="content">
      <div className="page-head">
        <div>
          <h1>{title}</h1>
          {lead && <p>{lead}</p>}
        </div>
        {action}
      </div>
      {children}
    </main>
  );
}

export function Card(props: { title?: ReactNode; note?: ReactNode; flush?: boolean; children: ReactNode }) {
  const { title, note, flush, children } = props;
  return (
    <section className={flush ? "card flush" : "card"}>
      {title && (
        <header>
          <h2>{title}</h2>
          {note && <p>{note}</p>}
        </header>
      )}
      {children}
    </section>
  );
}

export function Pill({ tone = "", children }: { tone?: "" | "accent" | "good" | "warn" | "bad"; children: ReactNode }) {
  return <span className={`pill ${tone}`}>{children}</span>;
}

/** A figure with its error bar. */
export function Metric({
  name,
  label,
  of,
  note,
}: {
  name: string;
  label: ReactNode;
  of: Shapes["Interval"];
  note?: ReactNode;
}) {
  const { t } = useTranslation();
  const range = t("interval", { low: figure(name, of.low), high: figure(name, of.high) });
  return (
    <dl className="metric">
      <dt>{label}</dt>
      <dd>{figure(name, of.value)}</dd>
      <dd className="more num">
        {of.high <= 1 && <Whisker of={of} />}
        {range}
      </dd>
      {note && <dd className="more">{note}</dd>}
    </dl>
  );
}

export function Fact({ label, value, note }: { label: ReactNode; value: ReactNode; note?: ReactNode }) {
  return (
    <dl className="metric">
      <dt>{label}</dt>
      <dd>{value}</dd>
      {note && <dd className="more">{note}</dd>}
    </dl>
  );
}

export function Whisker({ of }: { of: Shapes["Interval"] }) {
  const x = (share: number) => Math.min(Math.max(share, 0), 1) * 100;
  return (
    <svg className="whisker" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <rect x="0" y="4" width="100" height="2" rx="1" fill="var(--line)" />
      <rect
        x={x(of.low)}
        y="3"
        width={Math.max(x(of.high) - x(of.low), 0.5)}
        height="4"
        rx="1"
        fill="var(--accent)"
        opacity="0.35"
      />
      <rect x={x(of.value) - 0.4} y="0" width="0.8" height="10" fill="var(--accent)" />
    </svg>
  );
}

export function Bar({ share, label }: { share: number; label: string }) {
  return (
    <div className="bar" role="img" aria-label={label}>
      <i style={{ width: `${Math.min(Math.max(share, 0), 1) * 100}%` }} />
    </div>
  );
}

export function Copy({ text }: { text: string }) {
  const { t } = useTranslation();
  const [done, setDone] = useState(false);
  const copy = () => {
    void navigator.clipboard.writeText(text).then(() => setDone(true));
    setTimeout(() => setDone(false), 1500);
  };
  return (
    <AntButton size="small" type="text" autoInsertSpace={false} onClick={copy}>
      {done ? t("copied") : t("copy")}
    </AntButton>
  );
}

export function Code({ text }: { text: string }) {
  return (
    <div className="code">
      <pre>{text}</pre>
      {window.isSecureContext && <Copy text={text} />}
    </div>
  );
}

/** The command and the request that do the same as this screen. */
export function Twin({ cli, api }: { cli: string; api: string }) {
  const { t } = useTranslation();
  return (
    <details className="twin">
      <summary>{t("twin.title")}</summary>
      <dl>
        <dt>{t("twin.cli")}</dt>
        <dd>
          <Code text={cli} />
        </dd>
        <dt>{t("twin.api")}</dt>
        <dd>
          <Code text={api} />
        </dd>
      </dl>
    </details>
  );
}

/** Our error's own words; they say what to do next. */
export function Trouble({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation();
  const known = error instanceof Problem;
  return (
    <div className="problem" role="alert">
      <p>{known ? error.message : t("problem.unreadable")}</p>
      <div className="row between">
        <code>{known ? error.code : ""}</code>
        {onRetry && (
          <Button size="small" onClick={onRetry}>
            {t("again")}
          </Button>
        )}
      </div>
    </div>
  );
}

export function Waiting({ rows = 4 }: { rows?: number }) {
  return <Skeleton active title={false} paragraph={{ rows }} />;
}

/** What a query gave: its trouble, a placeholder while it is on the way, or `children` of it. */
export function Given<T>(props: {
  of: { data: T | undefined; error: unknown; refetch: () => unknown };
  children: (data: T) => ReactNode;
}) {
  const { data, error, refetch } = props.of;
  if (data !== undefined) return <>{props.children(data)}</>;
  return error ? <Trouble error={error} onRetry={() => void refetch()} /> : <Waiting />;
}

export function Empty({ title, children, action }: { title: ReactNode; children: ReactNode; action?: ReactNode }) {
  return (
    <section className="card empty">
      <h2>{title}</h2>
      <p>{children}</p>
      {action}
    </section>
  );
}

/** The browser's own modal dialog: it keeps the focus, closes with Escape and needs no scroll tricks. */
export function Sheet(props: {
  open: boolean;
  title: ReactNode;
  onClose: () => void;
  footer?: ReactNode;
  children: ReactNode;
}) {
  const { open, title, onClose, footer, children } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (open && !dialog.current?.open) dialog.current?.showModal();
    if (!open && dialog.current?.open) dialog.current.close();
  }, [open]);
  return (
    <dialog className="sheet" ref={dialog} aria-labelledby={id} onClose={onClose}>
      {open && (
        <>
          <h2 id={id}>{title}</h2>
          {children}
          {footer && <footer>{footer}</footer>}
        </>
      )}
    </dialog>
  );
}
