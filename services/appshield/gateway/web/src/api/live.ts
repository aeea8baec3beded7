/// Keeps what is on the screen true without a reload: one stream of events for the whole page.
///
/// An event names what changed; the answers that tell of it are asked for again, at most twice a
/// second, and only those that somebody looks at. Progress is taken from the event itself.
import type { QueryClient, QueryKey } from "@tanstack/react-query";
import { BASE } from "./client";
import { EventStreamReader, type ServerEvent } from "./event-stream";
import { keys } from "./queries";
import type { ApplicationSummary, RunSummary, StepProgress } from "./types";

export type LiveState = "connecting" | "live" | "interrupted";

const REFRESH_EVERY_MS = 500;
const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000];
/// The server says that it is alive more often than this; a silent stream is a dead one.
const SILENCE_MS = 45_000;

/// What an event of the stream tells about an application.
export interface Told {
  namespace: string;
  name: string;
  summary: ApplicationSummary | null;
  gone: boolean;
  runs: RunSummary[];
  progress: (Omit<StepProgress, "at"> & { run: string })[];
}

export class Live {
  private state: LiveState = "connecting";
  private readonly listeners = new Set<() => void>();
  private readonly stale = new Map<string, QueryKey>();
  private refreshing: ReturnType<typeof setTimeout> | undefined;
  private lastId = "";

  constructor(private readonly client: QueryClient) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly current = (): LiveState => this.state;

  /// Follow the stream until told to stop, through interruptions.
  async follow(stopping: AbortSignal): Promise<void> {
    let failures = 0;
    while (!stopping.aborted) {
      try {
        await this.read(stopping, () => {
          // What was missed is not known, unless the server goes on where it was.
          if (failures > 0 && !this.lastId) void this.client.invalidateQueries();
          failures = 0;
          this.become("live");
        });
      } catch (error) {
        if (stopping.aborted) return;
        if (error instanceof SignedOutError) {
          this.become("interrupted");
          void this.client.invalidateQueries({ queryKey: keys.me });
          return;
        }
        failures += 1;
        this.become("interrupted");
      }
      await pause(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 0, stopping);
    }
  }

  /// Take one event; returns whether the stream goes on.
  handle({ event, data }: ServerEvent): boolean {
    if (event === "reset") {
      this.lastId = "";
      void this.client.invalidateQueries();
      return false;
    }
    if (event === "application") this.told(JSON.parse(data) as Told);
    if (event === "policy") this.outdate([keys.policies, keys.applications]);
    return true;
  }

  private told(told: Told): void {
    this.outdate(changedBy(told));
    const at = new Date().toISOString();
    for (const { run, ...step } of told.progress) {
      this.client.setQueryData<{ steps: StepProgress[] }>(keys.progress(run), (known) => ({
        steps: [...(known?.steps ?? []).filter((one) => one.step !== step.step), { ...step, at }],
      }));
    }
  }

  private outdate(changed: readonly QueryKey[]): void {
    for (const key of changed) this.stale.set(JSON.stringify(key), key);
    if (this.stale.size > 0) {
      this.refreshing ??= setTimeout(() => this.refresh(), REFRESH_EVERY_MS);
    }
  }

  private async read(stopping: AbortSignal, opened: () => void): Promise<void> {
    const silent = new AbortController();
    const signal = AbortSignal.any([stopping, silent.signal]);
    let alarm = setTimeout(() => silent.abort(), SILENCE_MS);
    try {
      const headers: HeadersInit = { Accept: "text/event-stream" };
      if (this.lastId) headers["Last-Event-ID"] = this.lastId;
      const response = await fetch(`${BASE}/events`, { headers, signal, redirect: "error" });
      if (response.status === 401) throw new SignedOutError();
      if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
      opened();
      const reader = new EventStreamReader(this.lastId);
      const chunks = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await chunks.read();
        if (done) return;
        clearTimeout(alarm);
        alarm = setTimeout(() => silent.abort(), SILENCE_MS);
        const goesOn = reader.take(value).every((event) => this.handle(event));
        if (!goesOn) return silent.abort();
        this.lastId = reader.lastId;
      }
    } finally {
      clearTimeout(alarm);
    }
  }

  private refresh(): void {
    this.refreshing = undefined;
    const changed = [...this.stale.values()];
    this.stale.clear();
    for (const queryKey of changed) void this.client.invalidateQueries({ queryKey });
  }

  private become(state: LiveState): void {
    if (this.state === state) return;
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}

class SignedOutError extends Error {}

/// Name the answers that an event makes old.
export function changedBy({ namespace, name, summary, gone, runs }: Told): QueryKey[] {
  const changed: QueryKey[] = runs.map((run) => keys.run(run.id));
  if (runs.length > 0) changed.push(keys.runs);
  if (summary !== null || gone) changed.push(keys.applications, keys.unprotected);
  if (changed.length > 0) changed.push(keys.application(namespace, name));
  return changed;
}

function pause(ms: number, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stopping.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
