// The screen that the address means, below the frame; its code may have to be fetched first.
import { Suspense } from "react";
import { Outlet } from "react-router";
import { Waiting } from "../kit/parts";

export function Screen() {
  return (
    <Suspense
      fallback={
        <main className="page">
          <Waiting />
        </main>
      }
    >
      <Outlet />
    </Suspense>
  );
}
