// What a screen shows, kept in its address. Changes build on what the address says now, not on what was last drawn.
import { useCallback } from "react";
import { useSearchParams } from "react-router";

type Changes = Record<string, string | string[] | undefined>;

/** The address's own parameters, and a way to change some of them without another entry in the history. */
export function useAddress(): [URLSearchParams, (changes: Changes) => void] {
  const [address, setAddress] = useSearchParams();
  const change = useCallback(
    (changes: Changes) => {
      const now = new URLSearchParams(window.location.search);
      for (const [key, value] of Object.entries(changes)) {
        now.delete(key);
        for (const one of value === undefined ? [] : [value].flat()) now.append(key, one);
      }
      setAddress(now, { replace: true, preventScrollReset: true });
    },
    [setAddress],
  );
  return [address, change];
}
