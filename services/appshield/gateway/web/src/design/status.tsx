/// How something is, told three ways at once: by shape, by colour and by a word.
import type { ReactNode } from "react";
import type { Health, RpoState, RunState, StepState } from "@/api/types";
import { useTranslate } from "@/i18n/language";
import type { MessageKey } from "@/i18n/messages";
import classes from "./status.module.css";

export type Tone = "good" | "active" | "warn" | "bad" | "idle";
type Shape =
  | "check"
  | "turning"
  | "triangle"
  | "cross"
  | "question"
  | "clock"
  | "dash"
  | "hand"
  | "merge"
  | "slash";

interface Look {
  tone: Tone;
  shape: Shape;
  text: MessageKey;
}

const HEALTH: Record<Health, Look> = {
  Healthy: { tone: "good", shape: "check", text: "health.Healthy" },
  Progressing: { tone: "active", shape: "turning", text: "health.Progressing" },
  Degraded: { tone: "warn", shape: "triangle", text: "health.Degraded" },
  Missing: { tone: "bad", shape: "cross", text: "health.Missing" },
  Unknown: { tone: "idle", shape: "question", text: "health.Unknown" },
};

const RPO: Record<RpoState | "none", Look> = {
  kept: { tone: "good", shape: "check", text: "rpo.kept" },
  "at-risk": { tone: "warn", shape: "clock", text: "rpo.at-risk" },
  broken: { tone: "bad", shape: "cross", text: "rpo.broken" },
  none: { tone: "idle", shape: "dash", text: "rpo.none" },
};

const RUN: Record<RunState, Look> = {
  pending: { tone: "idle", shape: "clock", text: "run.pending" },
  "awaiting-approval": { tone: "warn", shape: "hand", text: "run.awaiting-approval" },
  running: { tone: "active", shape: "turning", text: "run.running" },
  ending: { tone: "active", shape: "turning", text: "run.ending" },
  succeeded: { tone: "good", shape: "check", text: "run.succeeded" },
  failed: { tone: "bad", shape: "cross", text: "run.failed" },
  cancelled: { tone: "idle", shape: "slash", text: "run.cancelled" },
  folded: { tone: "idle", shape: "merge", text: "run.folded" },
};

const STEP: Record<StepState, Look> = {
  running: { tone: "active", shape: "turning", text: "step.running" },
  done: { tone: "good", shape: "check", text: "step.done" },
  failed: { tone: "bad", shape: "cross", text: "step.failed" },
};

const SHAPES: Record<Shape, ReactNode> = {
  check: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" stroke="none" />
      <path d="M4.8 8.2l2.3 2.3 4.2-4.7" stroke="var(--surface)" />
    </>
  ),
  turning: (
    <>
      <circle cx="8" cy="8" r="6" strokeOpacity="0.3" />
      <path d="M8 2a6 6 0 0 1 6 6" className={classes.turning} />
    </>
  ),
  triangle: (
    <>
      <path d="M8 1.5 15 14H1z" fill="currentColor" />
      <path d="M8 6v3.5M8 11.8v.1" stroke="var(--surface)" />
    </>
  ),
  cross: (
    <>
      <path d="M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z" fill="currentColor" stroke="none" />
      <path d="M5.5 5.5l5 5M10.5 5.5l-5 5" stroke="var(--surface)" />
    </>
  ),
  question: (
    <>
      <circle cx="8" cy="8" r="6.3" strokeDasharray="2.6 2" />
      <path d="M6.2 6.3C6.4 5.2 7.2 4.8 8 4.8s1.9.5 1.9 1.6C9.9 7.8 8 7.7 8 9.2M8 11.3v.1" />
    </>
  ),
  clock: (
    <>
      <circle cx="8" cy="8" r="6.3" />
      <path d="M8 4.5V8l2.5 1.5" />
    </>
  ),
  dash: <path d="M4 8h8" />,
  hand: (
    <>
      <rect x="2" y="2" width="12" height="12" rx="3" fill="currentColor" stroke="none" />
      <path d="M6 5v6M10 5v6" stroke="var(--surface)" />
    </>
  ),
  merge: <path d="M3 2.5v3c0 2.5 5 2.5 5 5v3M13 2.5v3c0 2.5-5 2.5-5 5" />,
  slash: (
    <>
      <circle cx="8" cy="8" r="6.3" />
      <path d="M3.6 12.4l8.8-8.8" />
    </>
  ),
};

export const toneOfHealth = (health: Health): Tone => HEALTH[health].tone;
export const toneOfRun = (state: RunState): Tone => RUN[state].tone;

function Status({ look, plain }: { look: Look; plain?: boolean }) {
  const t = useTranslate();
  return (
    <span className={plain ? classes.plain : classes.status} data-tone={look.tone}>
      <Mark shape={look.shape} />
      <span>{t(look.text)}</span>
    </span>
  );
}

function Mark({ shape }: { shape: Shape }) {
  return (
    <svg
      viewBox="0 0 16 16"
      width="14"
      height="14"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {SHAPES[shape]}
    </svg>
  );
}

interface Plain {
  /// Without a background, for lines of a table.
  plain?: boolean;
}

export const HealthStatus = ({ health, ...rest }: { health: Health } & Plain) => (
  <Status look={HEALTH[health]} {...rest} />
);

export const RpoStatus = ({ state, ...rest }: { state: RpoState | "none" } & Plain) => (
  <Status look={RPO[state]} {...rest} />
);

export const RunStatus = ({ state, ...rest }: { state: RunState } & Plain) => (
  <Status look={RUN[state]} {...rest} />
);

export const StepStatus = ({ state, ...rest }: { state: StepState } & Plain) => (
  <Status look={STEP[state]} {...rest} />
);

/// A short word about something: its type, its trigger, that it is paused.
export function Tag({ children, tone = "idle" }: { children: ReactNode; tone?: Tone }) {
  return (
    <span className={classes.tag} data-tone={tone}>
      {children}
    </span>
  );
}
