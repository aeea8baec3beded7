/// Follows the stream of events, and says whether what is on the screen is kept up to date.
import { Tooltip } from "@mantine/core";
import { useEffect } from "react";
import { useTranslate } from "@/i18n/language";
import { useLive, useLiveState } from "./live";
import classes from "./live-mark.module.css";

export function LiveMark() {
  const live = useLive();
  const state = useLiveState();
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
