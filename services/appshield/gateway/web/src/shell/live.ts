/// The stream of events that the whole page follows, for whoever wants to know how it is.
import { createContext, useContext, useSyncExternalStore } from "react";
import type { Live, LiveState } from "@/api/live";

export const LiveContext = createContext<Live | null>(null);

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === null) throw new Error("no stream of events");
  return live;
}

export function useLiveState(): LiveState {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, live.current);
}
