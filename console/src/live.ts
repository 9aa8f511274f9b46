import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import type { Risk } from "./api";

export interface Arrival {
  risk: Risk;
  cause: string;
  seq: number;
}

/**
 * Follows the event stream from a change log position on. The browser reconnects by itself
 * and says which event it saw last, so nothing is missed.
 */
export function useLive(position: number | undefined) {
  const queries = useQueryClient();
  const [connected, setConnected] = useState(false);
  const [arrivals, setArrivals] = useState<Arrival[]>([]);
  const from = useRef<number>(undefined);
  from.current ??= position;
  const ready = from.current !== undefined;

  useEffect(() => {
    if (!ready) return;
    const source = new EventSource(`/api/v1/events?after=${from.current}`);
    let refresh: ReturnType<typeof setTimeout> | undefined;
    const changed = () => {
      clearTimeout(refresh);
      refresh = setTimeout(() => queries.invalidateQueries(), 80); // one reload for a burst
    };
    source.addEventListener("open", () => setConnected(true));
    source.addEventListener("error", () => setConnected(false));
    source.addEventListener("risk", (e) => {
      const arrival = JSON.parse((e as MessageEvent<string>).data) as Arrival;
      setArrivals((old) => [arrival, ...old].slice(0, 50));
      changed();
    });
    source.addEventListener("removed", changed);
    return () => {
      clearTimeout(refresh);
      source.close();
    };
  }, [ready, queries]);

  return { connected, arrivals };
}
