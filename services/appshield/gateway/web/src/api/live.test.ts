import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";
import { changedBy, Live, type Told } from "./live";
import { keys } from "./queries";
import type { ApplicationSummary, RunSummary } from "./types";

const told = (given: Partial<Told> = {}): Told => ({
  namespace: "shop",
  name: "web",
  summary: null,
  gone: false,
  runs: [],
  progress: [],
  ...given,
});
const event = (given: Partial<Told>) => ({
  event: "application",
  data: JSON.stringify(told(given)),
});

describe("an event", () => {
  it("makes old what it tells about, and nothing else", () => {
    expect(changedBy(told({ progress: [] }))).toEqual([]);
    expect(changedBy(told({ runs: [{ id: "b-1" } as RunSummary] }))).toEqual([
      keys.run("b-1"),
      keys.runs,
      keys.application("shop", "web"),
    ]);
    expect(changedBy(told({ summary: {} as ApplicationSummary }))).toEqual([
      keys.applications,
      keys.unprotected,
      keys.application("shop", "web"),
    ]);
  });

  it("brings progress itself, the latest of each step", () => {
    const client = new QueryClient();
    const live = new Live(client);
    for (const bytes_done of [10, 20]) {
      live.handle(
        event({
          progress: [{ run: "b-1", step: "store", bytes_done, bytes_total: 30, bytes_stored: 0 }],
        }),
      );
    }
    expect(client.getQueryData(keys.progress("b-1"))).toMatchObject({
      steps: [{ step: "store", bytes_done: 20, bytes_total: 30 }],
    });
  });

  it("called reset ends the stream, and all that is known is asked for again", () => {
    const client = new QueryClient();
    client.setQueryData(keys.me, {});
    expect(new Live(client).handle({ event: "reset", data: "{}" })).toBe(false);
    expect(client.getQueryState(keys.me)?.isInvalidated).toBe(true);
  });
});
