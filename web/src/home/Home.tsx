// The wheel: where it stands, what it came to turn by turn, and the one thing worth doing next.
import { useTranslation } from "react-i18next";
import { useName } from "../app/Shell";
import type { Shapes } from "../api/client";
import { useModels, useMonitor, useProject, useReleases, useReports, useTurns } from "../api/verbs";
import { Card, Given, Page, Twin } from "../kit/parts";
import { NextAction } from "./NextAction";
import { Scores } from "./Scores";
import { Wheel } from "./Wheel";
import { latelyOf } from "./today";
import "./home.css";

const isRelease = (row: Shapes["ReleaseRow"]) => row.action === "promote" || row.action === "rollback";
const SHOWN = 12; // models whose scores are drawn

export default function Home() {
  const { t } = useTranslation();
  const name = useName();
  return (
    <Page title={name} lead={t("home.lead")}>
      <Given of={useProject(name)}>{(project) => <Turning project={project} />}</Given>
    </Page>
  );
}

function Turning({ project }: { project: Shapes["ProjectReply"] }) {
  const { t } = useTranslation();
  const { name } = project;
  const models = useModels(name).data ?? [];
  const turns = useTurns(name).data ?? [];
  const releases = useReleases(name).data ?? [];
  const reports = useReports(
    name,
    models.slice(0, SHOWN).map((model) => model.model_id),
  );
  const monitor = useMonitor(name, "hour").data;
  const shown = reports.find((report) => report.model_id === project.champion) ?? reports[0];
  const n_turns = turns.filter((turn) => turn.status === "done").length;
  return (
    <>
      <NextAction project={project} />
      <Card>
        <Wheel
          project={project}
          report={shown}
          nTurns={n_turns}
          nReleases={releases.filter(isRelease).length}
          lately={latelyOf(monitor, turns, releases.filter(isRelease))}
        />
      </Card>
      {reports.length > 0 && (
        <Card title={t("home.scores")} note={t("home.scores.note", { count: shown?.n_holdout ?? 0 })}>
          <Scores name={name} reports={reports} champion={project.champion} />
        </Card>
      )}
      <Twin cli={`feilun report ${name}`} api={`GET /v1/projects/${name}`} />
    </>
  );
}
