// The bar on top of every screen: where one is, who one is, and how it looks.
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { ReactNode } from "react";
import { leave, useSession } from "../api/session";
import { GearIcon, LeaveIcon, MoonIcon, SunIcon } from "../kit/icons";
import { Button, Segmented } from "../kit/parts";
import { useScheme } from "../kit/scheme";
import { speak, type Language } from "../words";

export function Header({ home, children }: { home: string; children?: ReactNode }) {
  const { t } = useTranslation();
  return (
    <header className="top">
      <Brand to={home} />
      {children}
      <div className="top-end">
        <Looks />
        <Link className="icon-link" to="/settings" aria-label={t("settings.title")} title={t("settings.title")}>
          <GearIcon />
        </Link>
        <Me />
      </div>
    </header>
  );
}

export function Brand({ to }: { to: string }) {
  return (
    <Link to={to} className="brand" aria-label="Feilun 飞轮">
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
  );
}

/** Language and colours. */
export function Looks() {
  const { t, i18n } = useTranslation();
  const { scheme, choose } = useScheme();
  return (
    <>
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
    </>
  );
}

/** Who one is, and the way out; at the server's own machine one is nobody in particular. */
function Me() {
  const { t } = useTranslation();
  const session = useSession().data;
  if (session?.kind !== "person" && session?.kind !== "key") return null;
  const isKey = session.kind === "key";
  return (
    <Button
      type="text"
      className="me"
      icon={<LeaveIcon />}
      aria-label={t(isKey ? "key.forget" : "sign_out", { name: session.name })}
      onClick={() => void leave()}
    >
      <span>{session.name}</span>
    </Button>
  );
}
