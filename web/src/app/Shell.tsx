// Header and navigation. The project and the screen are in the address, so that a link shows what its sender saw.
import { Suspense, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Link, NavLink, Navigate, Outlet, useLocation, useNavigate, useParams } from "react-router";
import { hasKey, keepKey } from "../api/client";
import { useProject, useProjects } from "../api/verbs";
import { count } from "../kit/format";
import {
  DataIcon,
  HomeIcon,
  KeyIcon,
  ModelIcon,
  MonitorIcon,
  MoonIcon,
  QueueIcon,
  SunIcon,
  TryIcon,
  TurnIcon,
} from "../kit/icons";
import { Button, Empty, Given, Segmented, Select, Waiting } from "../kit/parts";
import { useScheme } from "../kit/scheme";
import { speak, type Language } from "../words";

const SCREENS = [
  { to: "", word: "nav.home", icon: <HomeIcon /> },
  { to: "queue", word: "nav.queue", icon: <QueueIcon /> },
  { to: "playground", word: "nav.playground", icon: <TryIcon /> },
  { to: "models", word: "nav.models", icon: <ModelIcon /> },
  { to: "turns", word: "nav.turns", icon: <TurnIcon /> },
  { to: "monitor", word: "nav.monitor", icon: <MonitorIcon /> },
  { to: "data", word: "nav.data", icon: <DataIcon /> },
];

export function useName(): string {
  return useParams<"name">().name ?? "";
}

/** The address without a project: the one that was open last, else the first. */
export function Start() {
  const projects = useProjects();
  const { t } = useTranslation();
  return (
    <main className="page">
      <Given of={projects}>
        {(rows) => {
          const first = rows.find((row) => row.name === localStorage.getItem(LAST)) ?? rows[0];
          if (first) return <Navigate to={`/projects/${encodeURIComponent(first.name)}`} replace />;
          return <Empty title={t("projects.none.title")}>{t("projects.none.text")}</Empty>;
        }}
      </Given>
    </main>
  );
}

const LAST = "feilun.project";

export function Shell() {
  const { t } = useTranslation();
  const name = useName();
  const here = useLocation().pathname.split("/")[3] ?? "";
  const screen = SCREENS.find((one) => one.to === here);
  useEffect(() => localStorage.setItem(LAST, name), [name]);
  useEffect(() => {
    document.title = [screen && t(screen.word), name, "Feilun 飞轮"].filter(Boolean).join(" · ");
  }, [screen, name, t]);
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {t("nav.skip")}
      </a>
      <Header name={name} />
      <Nav name={name} />
      <Suspense
        fallback={
          <main className="page">
            <Waiting />
          </main>
        }
      >
        <Outlet key={name} />
      </Suspense>
    </div>
  );
}

function Header({ name }: { name: string }) {
  const { t, i18n } = useTranslation();
  const { scheme, choose } = useScheme();
  return (
    <header className="top">
      <Link to={`/projects/${name}`} className="brand">
        <svg viewBox="0 0 32 32" width="26" height="26" fill="none" aria-hidden="true">
          <circle
            cx="16"
            cy="16"
            r="12"
            stroke="var(--accent)"
            strokeWidth="4"
            strokeDasharray="56 19.4"
            strokeLinecap="round"
            transform="rotate(-60 16 16)"
          />
          <circle cx="16" cy="16" r="4" fill="var(--accent)" />
        </svg>
        <span>
          Feilun <span lang="zh-CN">飞轮</span>
        </span>
      </Link>
      <Projects name={name} />
      <div className="top-end">
        <Segmented<Language>
          size="small"
          aria-label={t("language")}
          value={i18n.language as Language}
          onChange={speak}
          options={[
            { value: "en", label: <span lang="en">EN</span>, title: "English" },
            { value: "zh", label: <span lang="zh-CN">中文</span>, title: "中文" },
          ]}
        />
        <Button
          type="text"
          icon={scheme === "dark" ? <SunIcon /> : <MoonIcon />}
          aria-label={t(scheme === "dark" ? "scheme.light" : "scheme.dark")}
          onClick={() => choose(scheme === "dark" ? "light" : "dark")}
        />
        {hasKey() && (
          <Button
            type="text"
            icon={<KeyIcon />}
            aria-label={t("key.forget")}
            onClick={() => {
              keepKey(null);
              location.reload();
            }}
          />
        )}
      </div>
    </header>
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
      onChange={(chosen: string) => void go(`/projects/${encodeURIComponent(chosen)}/${screen}`)}
      options={(projects.length ? projects.map((row) => row.name) : [name]).map((one) => ({ value: one, label: one }))}
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
