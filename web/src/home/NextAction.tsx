// The next best action: exactly one, from what the project says about itself.
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import type { Shapes } from "../api/client";
import { useDoubts, useRequestTurn } from "../api/verbs";
import { Button, Code, Trouble } from "../kit/parts";

const WORTH_A_TURN = 20; // new labels; below that another turn would show little

type Action = {
  kind: "first" | "running" | "paused" | "requested" | "turn" | "label" | "doubts" | "quiet";
  count?: number;
};

export function nextAction(project: Shapes["ProjectReply"], nDoubts: number): Action {
  if (project.turn_id) return { kind: project.turn_is_paused ? "paused" : "running" };
  if (project.turn_is_requested) return { kind: "requested" };
  if (!project.champion) return { kind: "first" };
  if (project.n_new_labels >= WORTH_A_TURN) return { kind: "turn", count: project.n_new_labels };
  const open = project.traffic["open"] ?? 0;
  if (open > 0) return { kind: "label", count: open };
  if (nDoubts > 0) return { kind: "doubts", count: nDoubts };
  return { kind: "quiet" };
}

export function NextAction({ project }: { project: Shapes["ProjectReply"] }) {
  const { t } = useTranslation();
  const isQuiet = nextAction(project, 0).kind === "quiet"; // only then is it worth looking for doubts
  const action = nextAction(project, useDoubts(project.name, isQuiet).data?.length ?? 0);
  const words = { count: action.count ?? 0 };
  return (
    <section className="card next" aria-labelledby="next">
      <div className="next-words">
        <p className="next-kicker">{t("next.kicker")}</p>
        <h2 id="next">{t(`next.${action.kind}.title`, words)}</h2>
        <p className="quiet">{t(`next.${action.kind}.text`, words)}</p>
        {action.kind === "first" && <Code text={`feilun turn ${project.name}`} />}
      </div>
      <Do action={action} project={project} />
    </section>
  );
}

function Do({ action, project }: { action: Action; project: Shapes["ProjectReply"] }) {
  const { t } = useTranslation();
  const go = useNavigate();
  const ask = useRequestTurn(project.name);
  const at = `/projects/${encodeURIComponent(project.name)}`;
  if (action.kind === "turn" || action.kind === "first") {
    return (
      <div className="stack tight">
        <Button
          type="primary"
          size="large"
          loading={ask.isPending}
          onClick={() => ask.mutate("", { onSuccess: () => void go(`${at}/turns`) })}
        >
          {t("turn.ask")}
        </Button>
        {ask.error && <Trouble error={ask.error} />}
      </div>
    );
  }
  const to = {
    running: `${at}/turns`,
    paused: `${at}/turns`,
    requested: `${at}/turns`,
    label: `${at}/queue`,
    doubts: `${at}/data`,
    quiet: `${at}/playground`,
  }[action.kind];
  return (
    <Link to={to} className="go">
      {t(`next.${action.kind}.do`)}
    </Link>
  );
}
