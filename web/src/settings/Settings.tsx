// The frame of what concerns the server and not one project. Only what one's rights open is offered.
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { NavLink, useLocation } from "react-router";
import type { Session } from "../api/session";
import { useSession } from "../api/session";
import { Header } from "../app/Header";
import { Screen } from "../app/Screen";
import { BackupIcon, GearIcon, JobIcon, KeyIcon, LogIcon, PeopleIcon, TenantIcon, TurnIcon } from "../kit/icons";
import "./settings.css";

const may = (scope: Session["scopes"][number]) => (session: Session) => session.scopes.includes(scope);
const SCREENS = [
  { to: "", word: "settings.account", icon: <GearIcon />, isOpen: () => true },
  { to: "people", word: "people.title", icon: <PeopleIcon />, isOpen: may("keys") },
  { to: "keys", word: "keys.title", icon: <KeyIcon />, isOpen: may("keys") },
  { to: "usage", word: "usage.title", icon: <TurnIcon />, isOpen: may("read") },
  { to: "jobs", word: "jobs.title", icon: <JobIcon />, isOpen: may("read") },
  { to: "audit", word: "audit.title", icon: <LogIcon />, isOpen: may("admin") },
  {
    to: "tenants",
    word: "tenants.title",
    icon: <TenantIcon />,
    isOpen: (session: Session) => session.is_operator && may("keys")(session),
  },
  {
    to: "backup",
    word: "backup.title",
    icon: <BackupIcon />,
    isOpen: (session: Session) => session.is_operator && may("keys")(session),
  },
];

export default function Settings() {
  const { t } = useTranslation();
  const session = useSession().data;
  const here = useLocation().pathname.split("/")[2] ?? "";
  const screen = SCREENS.find((one) => one.to === here);
  useEffect(() => {
    document.title = [screen && t(screen.word), t("settings.title"), "Feilun 飞轮"].filter(Boolean).join(" · ");
  }, [screen, t]);
  return (
    <div className="shell settings">
      <a className="skip" href="#content">
        {t("nav.skip")}
      </a>
      <Header home="/">
        <b className="where">{t("settings.title")}</b>
      </Header>
      <nav className="side" aria-label={t("settings.screens")}>
        {SCREENS.filter((one) => session && one.isOpen(session)).map(({ to, word, icon }) => (
          <NavLink key={to} to={`/settings${to && `/${to}`}`} end={to === ""}>
            {icon}
            <span>{t(word)}</span>
          </NavLink>
        ))}
      </nav>
      <Screen />
    </div>
  );
}
