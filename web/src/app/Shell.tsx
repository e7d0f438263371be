// Header and navigation. The project and the screen are in the address, so that a link shows what its sender saw.
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { NavLink, Navigate, useLocation, useNavigate, useParams } from "react-router";
import { useProject, useProjects } from "../api/verbs";
import { count } from "../kit/format";
import { DataIcon, GearIcon, HomeIcon, ModelIcon, MonitorIcon, QueueIcon, TryIcon, TurnIcon } from "../kit/icons";
import { Given, Select } from "../kit/parts";
import { useRinging } from "../turns/Ring";
import { Header } from "./Header";
import { Screen } from "./Screen";

const SCREENS = [
  { to: "", word: "nav.home", icon: <HomeIcon /> },
  { to: "queue", word: "nav.queue", icon: <QueueIcon /> },
  { to: "playground", word: "nav.playground", icon: <TryIcon /> },
  { to: "models", word: "nav.models", icon: <ModelIcon /> },
  { to: "turns", word: "nav.turns", icon: <TurnIcon /> },
  { to: "monitor", word: "nav.monitor", icon: <MonitorIcon /> },
  { to: "data", word: "nav.data", icon: <DataIcon /> },
  { to: "settings", word: "nav.settings", icon: <GearIcon /> },
];

export function useName(): string {
  return useParams<"name">().name ?? "";
}

/** The address without a project: the one that was open last, else the first; where there is none, how to begin. */
export function Start() {
  const projects = useProjects();
  return (
    <main className="page">
      <Given of={projects}>
        {(rows) => {
          const first = rows.find((row) => row.name === localStorage.getItem(LAST)) ?? rows[0];
          if (first) return <Navigate to={`/projects/${encodeURIComponent(first.name)}`} replace />;
          return <Navigate to="/start" replace />;
        }}
      </Given>
    </main>
  );
}

const LAST = "feilun.project";
const NEW = " new"; // no project's name, for the blank in it

/** A screen about no project yet. */
export function Plain() {
  const { t } = useTranslation();
  useEffect(() => {
    document.title = `${t("start.title")} · Feilun 飞轮`;
  }, [t]);
  return (
    <div className="shell plain">
      <a className="skip" href="#content">
        {t("nav.skip")}
      </a>
      <Header home="/" />
      <Screen />
    </div>
  );
}

export function Shell() {
  const { t } = useTranslation();
  const name = useName();
  const here = useLocation().pathname.split("/")[3] ?? "";
  const screen = SCREENS.find((one) => one.to === here);
  useRinging(useProject(name).data);
  useEffect(() => localStorage.setItem(LAST, name), [name]);
  useEffect(() => {
    document.title = [screen && t(screen.word), name, "Feilun 飞轮"].filter(Boolean).join(" · ");
  }, [screen, name, t]);
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {t("nav.skip")}
      </a>
      <Header home={`/projects/${encodeURIComponent(name)}`}>
        <Projects name={name} />
      </Header>
      <Nav name={name} />
      <Screen key={name} />
    </div>
  );
}

function Projects({ name }: { name: string }) {
  const { t } = useTranslation();
  const go = useNavigate();
  const screen = useLocation().pathname.split("/")[3] ?? "";
  const projects = useProjects().data ?? [];
  return (
    <Select
      className="projects"
      variant="filled"
      aria-label={t("nav.project")}
      value={name}
      onChange={(chosen: string) =>
        void go(chosen === NEW ? "/start" : `/projects/${encodeURIComponent(chosen)}/${screen}`)
      }
      options={[
        ...(projects.length ? projects.map((row) => row.name) : [name]).map((one) => ({ value: one, label: one })),
        { value: NEW, label: t("nav.new_project") },
      ]}
    />
  );
}

function Nav({ name }: { name: string }) {
  const { t } = useTranslation();
  const waiting = useProject(name).data?.traffic["open"] ?? 0;
  return (
    <nav className="side" aria-label={t("nav.screens")}>
      {SCREENS.map(({ to, word, icon }) => (
        <NavLink key={to} to={`/projects/${encodeURIComponent(name)}${to && `/${to}`}`} end={to === ""}>
          {icon}
          <span>{t(word)}</span>
          {to === "queue" && waiting > 0 && <em aria-label={t("nav.waiting", { count: waiting })}>{count(waiting)}</em>}
        </NavLink>
      ))}
    </nav>
  );
}
