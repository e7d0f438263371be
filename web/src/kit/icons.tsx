// Our own line icons, one weight: a font or a package of a thousand would be for a dozen.
import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg
      width="18"
      height="18"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const HomeIcon = () => (
  <Icon>
    <path d="M20 12a8 8 0 1 1-3-6.2" />
    <path d="M20 3v5h-5" />
    <circle cx="12" cy="12" r="1.6" fill="currentColor" />
  </Icon>
);
export const QueueIcon = () => (
  <Icon>
    <path d="M4 6h16M4 12h10M4 18h7" />
    <path d="m15 18 2 2 4-5" />
  </Icon>
);
export const TryIcon = () => (
  <Icon>
    <path d="M4 5h16v11H9l-5 4z" />
  </Icon>
);
export const ModelIcon = () => (
  <Icon>
    <path d="m12 3 8 4.5v9L12 21l-8-4.5v-9z" />
    <path d="m4 7.5 8 4.5 8-4.5M12 12v9" />
  </Icon>
);
export const MonitorIcon = () => (
  <Icon>
    <path d="M3 12h4l3-8 4 16 3-8h4" />
  </Icon>
);
export const TurnIcon = () => (
  <Icon>
    <path d="M4 19V5M4 19h16" />
    <path d="m8 14 3-4 3 2 5-6" />
  </Icon>
);
export const DataIcon = () => (
  <Icon>
    <rect x="4" y="4" width="16" height="16" rx="2" />
    <path d="M4 10h16M10 10v10" />
  </Icon>
);
export const KeyIcon = () => (
  <Icon>
    <circle cx="8" cy="15" r="4" />
    <path d="m11 12 9-9M17 6l3 3" />
  </Icon>
);
export const SunIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5" />
  </Icon>
);
export const MoonIcon = () => (
  <Icon>
    <path d="M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z" />
  </Icon>
);
export const GearIcon = () => (
  <Icon>
    <path d="M4 7h9M19 7h1M4 17h1M11 17h9" />
    <circle cx="16" cy="7" r="2.6" />
    <circle cx="8" cy="17" r="2.6" />
  </Icon>
);
export const LeaveIcon = () => (
  <Icon>
    <path d="M10 4H5v16h5M10 12h10M16 8l4 4-4 4" />
  </Icon>
);
export const PeopleIcon = () => (
  <Icon>
    <circle cx="9" cy="8" r="3.4" />
    <path d="M3 20c.4-4 2.6-6 6-6s5.6 2 6 6M16 5a3.4 3.4 0 0 1 0 6.5M18 14.5c1.8.8 2.8 2.700 3 5.5" />
  </Icon>
);
export const LogIcon = () => (
  <Icon>
    <path d="M6 3h9l4 4v14H6zM10 10h5M10 14h5M10 18h3" />
  </Icon>
);
export const TenantIcon = () => (
  <Icon>
    <path d="M4 21V6l8-3v18M12 9l8 3v9M3 21h18M8 9v.01M8 13v.01M8 17v.01M16 15v.01" />
  </Icon>
);
export const JobIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="8" />
    <path d="M12 7v5l3.5 2" />
  </Icon>
);
export const BackupIcon = () => (
  <Icon>
    <path d="M4 8h16v11H4zM3 4h18v4H3zM10 12h4" />
  </Icon>
);
