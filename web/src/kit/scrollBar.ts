// Stands in for the module of the same task in Ant Design's parts: see vite.config.ts.
export default function getScrollBarSize(): number {
  return 0;
}

export function getTargetScrollBarSize(): { width: number; height: number } {
  return { width: 0, height: 0 };
}
