// One accent, two schemes. Ant Design takes its tokens from here, our own CSS the same values as custom properties.
import { theme as antd, type ThemeConfig } from "antd";

export type Scheme = "light" | "dark";

export const FONT =
  'Inter, "Segoe UI", Roboto, "Helvetica Neue", "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", "Liberation Sans", sans-serif';
export const MONO =
  'ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace';

const COLOURS = {
  light: {
    accent: "#0b7568",
    accentSoft: "#e3f1ee",
    page: "#f6f6f4",
    surface: "#ffffff",
    raised: "#fbfbfa",
    ink: "#1b1f23",
    quiet: "#5b636c",
    line: "#e4e5e6",
    good: "#1a7f4b",
    warn: "#925f00",
    bad: "#b42318",
  },
  dark: {
    accent: "#4cc2b0",
    accentSoft: "#17312e",
    page: "#121416",
    surface: "#1a1d20",
    raised: "#202428",
    ink: "#e9ebed",
    quiet: "#a0a8b0",
    line: "#2c3136",
    good: "#5bc78c",
    warn: "#e0ac4f",
    bad: "#ff8a7d",
  },
} as const;

export type Colours = (typeof COLOURS)[Scheme];

export const coloursOf = (scheme: Scheme): Colours => COLOURS[scheme];

export function themeOf(scheme: Scheme): ThemeConfig {
  const c = COLOURS[scheme];
  return {
    algorithm: scheme === "dark" ? antd.darkAlgorithm : antd.defaultAlgorithm,
    token: {
      colorPrimary: c.accent,
      colorLink: c.accent,
      colorBgBase: c.surface,
      colorBgLayout: c.page,
      colorBgContainer: c.surface,
      colorBgElevated: c.raised,
      colorText: c.ink,
      colorTextSecondary: c.quiet,
      colorTextTertiary: c.quiet,
      colorTextDescription: c.quiet,
      colorTextPlaceholder: c.quiet,
      colorBorder: c.line,
      colorBorderSecondary: c.line,
      colorError: c.bad,
      colorWarning: c.warn,
      colorSuccess: c.good,
      colorTextLightSolid: scheme === "dark" ? "#0b1513" : "#ffffff",
      fontFamily: FONT,
      fontFamilyCode: MONO,
      fontSize: 14,
      borderRadius: 8,
      wireframe: false,
      motionDurationMid: "0.12s",
    },
    components: {
      Table: {
        headerBg: "transparent",
        headerColor: c.quiet,
        headerSplitColor: "transparent",
        cellPaddingBlockMD: 11,
        cellPaddingInlineMD: 16,
      },
      Button: { fontWeight: 500, primaryShadow: "none", defaultShadow: "none" },
    },
  };
}

/** Put the scheme's colours where kit.css finds them. */
export function paint(scheme: Scheme): void {
  const root = document.documentElement;
  root.dataset["scheme"] = scheme;
  root.style.colorScheme = scheme;
  for (const [name, value] of Object.entries(COLOURS[scheme])) root.style.setProperty(`--${name}`, value);
  root.style.setProperty("--font", FONT);
  root.style.setProperty("--mono", MONO);
}
