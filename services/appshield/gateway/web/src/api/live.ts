/// Keeps what is on the screen true without a reload: one stream of events for the whole page.
///
/// An event names what changed; the answers that tell of it are asked for again, at most twice a
/// second, and only those that somebody looks at. Progress is taken from the event itself. A stream
/// that is cut is opened again until it is whole; after the end of a session, when somebody is back.
import type { QueryClient, QueryKey } from "@tanstack/react-query";
import { events } from "./client";
import { EventStreamReader, type ServerEvent } from "./event-stream";
import { isSignedOut } from "./problems";
import { keys } from "./queries";
import type { ApplicationSummary, RunSummary, StepProgress } from "./types";

export type LiveState = "connecting" | "live" | "interrupted" | "signed-out";

const REFRESH_EVERY_MS = 500;
const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000];
/// The server says that it is alive more often than this; a silent stream is a dead one.
const SILENCE_MS = 45_000;
/// When the window is looked at again, or has a network again, it may be worth another try.
const RETURNS = ["focus", "online", "visibilitychange"];

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
  private since = new Date();
  private readonly listeners = new Set<() => void>();
  private readonly stale = new Map<string, QueryKey>();
  private refreshing: ReturnType<typeof setTimeout> | undefined;
  private stream = new AbortController();
  private lastId = "";

  constructor(private readonly client: QueryClient) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly current = (): LiveState => this.state;

  /// Since when it has been so: what is on the screen is of then, once the stream is cut.
  readonly lasting = (): Date => this.since;

  /// Follow the stream until told to stop, through interruptions.
  async follow(stopping: AbortSignal): Promise<void> {
    let [failures, opened] = [0, false];
    this.become("connecting");
    while (!stopping.aborted) {
      try {
        await this.read(stopping, () => {
          if (opened) this.askAgain();
          [failures, opened] = [0, true];
          this.become("live");
        });
      } catch (error) {
        if (stopping.aborted) return;
        failures += 1;
        if (isSignedOut(error)) this.end();
        else if (this.state !== "signed-out") this.become("interrupted");
      }
      // Who is signed out is not signed in by asking: only somebody who comes back changes that.
      const ended = this.state === "signed-out";
      await pause(
        ended ? null : (RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 0),
        stopping,
      );
    }
  }

  /// The session has ended, as some answer has told.
  end(): void {
    // Who comes back may be somebody else, so all is asked for again.
    this.lastId = "";
    this.become("signed-out");
    this.stream.abort();
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

  /// What was missed is not known, unless the server goes on where it was; what failed is not either.
  private askAgain(): void {
    const failed = {
      predicate: ({ state }: { state: { error: unknown } }) => state.error !== null,
    };
    void this.client.invalidateQueries(this.lastId ? failed : {});
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
    this.stream = new AbortController();
    const signal = AbortSignal.any([stopping, this.stream.signal]);
    let alarm = setTimeout(() => this.stream.abort(), SILENCE_MS);
    try {
      const response = await events(this.lastId, signal);
      if (!response.body) throw new Error("an answer without a body");
      opened();
      const reader = new EventStreamReader(this.lastId);
      const chunks = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await chunks.read();
        if (done) return;
        clearTimeout(alarm);
        alarm = setTimeout(() => this.stream.abort(), SILENCE_MS);
        const goesOn = reader.take(value).every((event) => this.handle(event));
        if (!goesOn) return this.stream.abort();
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
    this.since = new Date();
    for (const listener of this.listeners) listener();
  }
}

/// Name the answers that an event makes old.
export function changedBy({ namespace, name, summary, gone, runs }: Told): QueryKey[] {
  const changed: QueryKey[] = runs.map((run) => keys.run(run.id));
  if (runs.length > 0) changed.push(keys.runs);
  if (summary !== null || gone) changed.push(keys.applications, keys.unprotected);
  if (changed.length > 0) changed.push(keys.application(namespace, name));
  return changed;
}

/// Wait so long, or until somebody is back or all is over; without a time, for one of these only.
function pause(ms: number | null, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stopping.aborted) return resolve();
    const done = new AbortController();
    const timer = ms === null ? undefined : setTimeout(() => done.abort(), ms);
    done.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
    stopping.addEventListener("abort", () => done.abort(), { signal: done.signal });
    for (const event of RETURNS) {
      window.addEventListener(event, () => done.abort(), { signal: done.signal });
    }
  });
}
