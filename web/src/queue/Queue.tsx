// The queue, the heart: one message, one key.
import { useEffect, useMemo, useRef, useState, type RefObject } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useName } from "../app/Shell";
import type { Shapes } from "../api/client";
import { useProject, useTurns } from "../api/verbs";
import { count, percent } from "../kit/format";
import { Bar, Button, Empty, Given, Page, Pill, Trouble, Twin, Waiting } from "../kit/parts";
import { scoreOf } from "../turns/view";
import { Alike } from "./Alike";
import { Help } from "./Help";
import { Labels, type Finder } from "./Labels";
import { shortcutOf } from "./keys";
import { textOf, type Row } from "./outbox";
import { useDesk } from "./useDesk";
import "./queue.css";

export default function Queue() {
  const { t } = useTranslation();
  const name = useName();
  return (
    <Page title={t("queue.title")} lead={t("queue.lead")}>
      <Given of={useProject(name)}>{(project) => <Desk project={project} />}</Given>
    </Page>
  );
}

function Desk({ project }: { project: Shapes["ProjectReply"] }) {
  const { t } = useTranslation();
  const desk = useDesk(project.name);
  const [help, setHelp] = useState(false);
  const [isAlike, setAlike] = useState(false);
  const [said, setSaid] = useState("");
  const recent = useRef<string[]>([]);
  const finder = useRef<Finder>(null);
  const { row } = desk;
  const choices = useMemo(() => choicesOf(row, project.labels, recent.current), [row, project.labels]);

  const give = (labels: string[]) => {
    if (!row || labels.length === 0) return;
    recent.current = [...new Set([...labels, ...recent.current])];
    setSaid(t("queue.said", { label: labels.join(", ") }));
    desk.decide(labels);
  };
  const skip = () => {
    setSaid(t("queue.skipped"));
    desk.decide(null);
  };
  const alike = () => {
    if (row?.prediction_id) setAlike(true);
  };
  const giveAll = (rows: Row[], labels: string[]) => {
    recent.current = [...new Set([...labels, ...recent.current])];
    setSaid(t("queue.said_all", { label: labels.join(", "), count: rows.length }));
    desk.decideAll(rows, labels);
  };
  const undo = () => {
    const back = desk.undo();
    setSaid(!back ? t("queue.nothing_to_undo") : t(back.sent ? "queue.undone_late" : "queue.undone"));
  };

  const act = useRef({ give, skip, undo, alike });
  act.current = { give, skip, undo, alike };
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const shortcut = shortcutOf(event);
      if (!shortcut) return;
      event.preventDefault();
      if (shortcut.kind === "pick") finder.current?.pick(shortcut.n);
      if (shortcut.kind === "accept") finder.current?.accept();
      if (shortcut.kind === "search") finder.current?.search();
      if (shortcut.kind === "skip") act.current.skip();
      if (shortcut.kind === "undo") act.current.undo();
      if (shortcut.kind === "alike") act.current.alike();
      if (shortcut.kind === "help") setHelp(true);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);

  return (
    <>
      <Progress name={project.name} nDone={desk.done.length} nWaiting={desk.nWaiting} nNew={project.n_new_labels} />
      {desk.error !== null && <Trouble error={desk.error} onRetry={() => void desk.refill()} />}
      {row ? (
        <Item row={row} project={project} choices={choices} finder={finder} onGive={give} />
      ) : desk.loaded ? (
        <Nothing project={project} nDone={desk.done.length} />
      ) : (
        <Waiting />
      )}
      <footer className="desk-foot">
        <p role="status" className="quiet">
          {said}
          {desk.lastNew &&
            ` ${t(desk.lastNew.hint ? "queue.new_label_hint" : "queue.new_label", { label: desk.lastNew.labels?.join(", "), hint: desk.lastNew.hint })}`}
        </p>
        <div className="row">
          <Button onClick={skip} disabled={!row}>
            {t("queue.skip")} <kbd>S</kbd>
          </Button>
          <Button onClick={alike} disabled={!row?.prediction_id}>
            {t("queue.alike")} <kbd>A</kbd>
          </Button>
          <Button onClick={undo} disabled={desk.done.length === 0}>
            {t("queue.undo")} <kbd>U</kbd>
          </Button>
          <Button type="text" onClick={() => setHelp(true)}>
            {t("queue.keys")} <kbd>?</kbd>
          </Button>
        </div>
      </footer>
      <Twin
        cli={`feilun feedback add ${row?.prediction_id ?? "PREDICTION"} ${project.name} --label ${row?.labels[0] ?? "LABEL"}`}
        api={`POST /v1/projects/${project.name}/feedback\n{"prediction_id": "${row?.prediction_id ?? "p_…"}", "label": "${row?.labels[0] ?? "…"}"}`}
      />
      {row && isAlike && (
        <Alike
          key={row.example_id}
          name={project.name}
          row={row}
          project={project}
          find={desk.similar}
          onGive={giveAll}
          onClose={() => setAlike(false)}
        />
      )}
      <Help open={help} onClose={() => setHelp(false)} />
    </>
  );
}

function Progress(props: { name: string; nDone: number; nWaiting: number; nNew: number }) {
  const { t } = useTranslation();
  const { name, nDone, nWaiting, nNew } = props;
  const turns = (useTurns(name, false).data ?? []).filter((turn) => turn.status === "done");
  const [first, last] = [scoreOf(turns.at(-1), "accuracy"), scoreOf(turns[0], "accuracy")];
  const all = nDone + nWaiting;
  return (
    <div className="desk-progress">
      <Bar share={all ? nDone / all : 0} label={t("queue.progress", { done: nDone, all })} />
      <p className="quiet small num">
        {t("queue.done", { count: nDone })} · {t("queue.waiting", { count: nWaiting })} ·{" "}
        {t("queue.new", { count: nNew })}
      </p>
      {turns.length > 1 && first !== undefined && last !== undefined && (
        <p className="quiet small num">
          {t("queue.bought", { first: percent(first), last: percent(last), count: turns.length })}
        </p>
      )}
    </div>
  );
}

function Item(props: {
  row: Row;
  project: Shapes["ProjectReply"];
  choices: string[];
  finder: RefObject<Finder | null>;
  onGive: (labels: string[]) => void;
}) {
  const { t } = useTranslation();
  const { row, project, choices, finder, onGive } = props;
  return (
    <article className="card desk" aria-label={t("queue.message")}>
      <div className="desk-message">
        <div className="row">
          {row.why.map((why) => (
            <Pill key={why.code} tone="accent">
              {t(`why.${why.code}`)}
            </Pill>
          ))}
          {row.similar.length > 0 && <Pill>{t("queue.similar", { count: row.similar.length })}</Pill>}
        </div>
        <blockquote data-testid="message">{textOf(row)}</blockquote>
        <p className="quiet">{row.why.map((why) => why.text).join(" ")}</p>
        {row.given && <p className="quiet">{t("queue.given", { label: row.given.join(", ") })}</p>}
        <p className="quiet small">
          {row.confidence !== null &&
            t("queue.confidence", { label: row.labels.join(", "), share: percent(row.confidence, 0) })}
        </p>
      </div>
      <Labels
        key={row.example_id}
        ref={finder}
        row={row}
        all={project.labels}
        choices={choices}
        isMulti={project.is_multi_label}
        onGive={onGive}
      />
    </article>
  );
}

function Nothing({ project, nDone }: { project: Shapes["ProjectReply"]; nDone: number }) {
  const { t } = useTranslation();
  const at = `/projects/${encodeURIComponent(project.name)}`;
  if (!project.champion) {
    return (
      <Empty title={t("queue.no_model.title")} action={<Link to={at}>{t("nav.home")}</Link>}>
        {t("queue.no_model.text")}
      </Empty>
    );
  }
  return (
    <Empty
      title={t(nDone ? "queue.finished.title" : "queue.empty.title")}
      action={<Link to={at}>{t("queue.finished.do")}</Link>}
    >
      {nDone ? t("queue.finished.text", { done: count(nDone), count: project.n_new_labels }) : t("queue.empty.text")}
    </Empty>
  );
}

const ON_KEYS = 9;

/** What the keys 1–9 give. Few classes keep their places, so that fingers learn them; of many, the likeliest come first, then those given lately. */
function choicesOf(row: Row | undefined, labels: string[], recent: string[]): string[] {
  if (labels.length <= ON_KEYS) return labels;
  const likely = row ? [...row.labels, ...(row.given ?? []), ...row.alternatives.map(([label]) => label)] : [];
  return [...new Set([...likely, ...recent])].slice(0, ON_KEYS);
}
