/// Follows the stream of events, and says whether what is on the screen is kept up to date.
import { Tooltip } from "@mantine/core";
import { createContext, useContext, useEffect, useSyncExternalStore } from "react";
import type { Live } from "@/api/live";
import { useTranslate } from "@/i18n/language";
import classes from "./live-mark.module.css";

export const LiveContext = createContext<Live | null>(null);

export function LiveMark() {
  const live = useContext(LiveContext);
  if (live === null) throw new Error("no stream of events");
  const state = useSyncExternalStore(live.subscribe, live.current);
  const t = useTranslate();
  useEffect(() => {
    const stopping = new AbortController();
    void live.follow(stopping.signal);
    return () => stopping.abort();
  }, [live]);
  return (
    <Tooltip label={t(`live.${state}.why`)}>
      <span className={classes.mark} data-state={state} role="status">
        <span className={classes.dot} />
        <span className={classes.text}>{t(`live.${state}`)}</span>
      </span>
    </Tooltip>
  );
}
