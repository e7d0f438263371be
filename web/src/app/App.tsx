// The frame around every screen: language, colours, the key, and which screen the address means.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { ConfigProvider } from "antd";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import { lazy, Suspense, useEffect, useLayoutEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { BrowserRouter, Navigate, Outlet, Route, Routes } from "react-router";
import { Problem } from "../api/client";
import { CHOSEN, SchemeContext, firstScheme } from "../kit/scheme";
import { paint, themeOf, type Scheme } from "../kit/theme";
import { Gate } from "./Gate";
import { Plain, Shell, Start } from "./Shell";

const Home = lazy(() => import("../home/Home"));
const Queue = lazy(() => import("../queue/Queue"));
const Playground = lazy(() => import("../playground/Playground"));
const Models = lazy(() => import("../models/Models"));
const Compare = lazy(() => import("../compare/Compare"));
const Errors = lazy(() => import("../errors/Errors"));
const Report = lazy(() => import("../models/Report"));
const Turns = lazy(() => import("../turns/Turns"));
const NewProject = lazy(() => import("../start/NewProject"));
const First = lazy(() => import("../start/First"));
const Monitor = lazy(() => import("../monitor/Monitor"));
const Data = lazy(() => import("../data/Data"));
const Snapshots = lazy(() => import("../data/Snapshots"));
const Config = lazy(() => import("../config/Config"));

const Invitation = lazy(() => import("./Invitation"));
const Settings = lazy(() => import("../settings/Settings"));
const Account = lazy(() => import("../settings/Account"));
const People = lazy(() => import("../settings/People"));
const Keys = lazy(() => import("../settings/Keys"));
const Usage = lazy(() => import("../settings/Usage"));
const Audit = lazy(() => import("../settings/Audit"));
const Jobs = lazy(() => import("../settings/Jobs"));
const Backup = lazy(() => import("../settings/Backup"));
const Tenants = lazy(() => import("../settings/Tenants"));

const MOST_RETRIES = 2;
const nonce = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // only what may pass by itself is asked again: no connection, or "not now"
      retry: (n, error) =>
        n < MOST_RETRIES &&
        error instanceof Problem &&
        [0, 503].includes(error.status) &&
        error.code !== "engine.no_champion",
    },
  },
});

export function App() {
  const { i18n } = useTranslation();
  const [scheme, setScheme] = useState<Scheme>(firstScheme);
  useLayoutEffect(() => paint(scheme), [scheme]);
  useEffect(() => void queries.invalidateQueries(), [i18n.language]); // the server's sentences come in the reader's language
  const colours = useMemo(
    () => ({
      scheme,
      choose: (chosen: Scheme) => {
        localStorage.setItem(CHOSEN, chosen);
        setScheme(chosen);
      },
    }),
    [scheme],
  );
  const theme = useMemo(() => themeOf(scheme), [scheme]);
  return (
    <QueryClientProvider client={queries}>
      <SchemeContext value={colours}>
        <ConfigProvider
          theme={theme}
          csp={{ nonce }}
          locale={i18n.language === "zh" ? zhCN : enUS}
          wave={{ disabled: true }}
        >
          <BrowserRouter basename="/console">
            <Routes>
              <Route
                path="/invitation"
                element={
                  <Suspense>
                    <Invitation />
                  </Suspense>
                }
              />
              <Route
                element={
                  <Gate>
                    <Outlet />
                  </Gate>
                }
              >
                <Route path="/" element={<Start />} />
                <Route path="/start" element={<Plain />}>
                  <Route index element={<NewProject />} />
                </Route>
                <Route path="/projects/:name" element={<Shell />}>
                  <Route index element={<Home />} />
                  <Route path="queue" element={<Queue />} />
                  <Route path="playground" element={<Playground />} />
                  <Route path="models" element={<Models />} />
                  <Route path="models/:modelId" element={<Report />} />
                  <Route path="models/:modelId/errors" element={<Errors />} />
                  <Route path="models/:modelId/compare/:newId" element={<Compare />} />
                  <Route path="turns" element={<Turns />} />
                  <Route path="turns/:turnId" element={<Turns />} />
                  <Route path="monitor" element={<Monitor />} />
                  <Route path="data" element={<Data />} />
                  <Route path="data/snapshots" element={<Snapshots />} />
                  <Route path="settings" element={<Config />} />
                  <Route path="first" element={<First />} />
                </Route>
                <Route
                  path="/settings"
                  element={
                    <Suspense>
                      <Settings />
                    </Suspense>
                  }
                >
                  <Route index element={<Account />} />
                  <Route path="people" element={<People />} />
                  <Route path="keys" element={<Keys />} />
                  <Route path="usage" element={<Usage />} />
                  <Route path="audit" element={<Audit />} />
                  <Route path="tenants" element={<Tenants />} />
                  <Route path="jobs" element={<Jobs />} />
                  <Route path="backup" element={<Backup />} />
                </Route>
                <Route path="*" element={<Navigate to="/" replace />} />
              </Route>
            </Routes>
          </BrowserRouter>
        </ConfigProvider>
      </SchemeContext>
    </QueryClientProvider>
  );
}
