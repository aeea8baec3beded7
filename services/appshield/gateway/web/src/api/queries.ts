/// Every question that the interface asks, under the key by which its answer is remembered.
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { isNarrow } from "@/design/narrow";
import { get, path, type Query } from "./client";
import type {
  ApplicationCounts,
  ApplicationDetail,
  ApplicationModel,
  ApplicationSummary,
  EffectivePolicies,
  LogLine,
  LogPage,
  Me,
  Page,
  Permissions,
  RunDetail,
  RunSummary,
  StepProgress,
  ToldEvent,
  Unprotected,
  VersionSummary,
} from "./types";

/// A page of a list: what fits on a screen and a half; on a phone each of it is a card.
export const PAGE = isNarrow() ? 20 : 50;
const TREND = 12;

export const keys = {
  me: ["me"],
  permissions: (namespace: string) => ["permissions", namespace],
  applications: ["applications"],
  application: (namespace: string, name: string) => ["application", namespace, name],
  unprotected: ["unprotected"],
  policies: ["policies"],
  runs: ["runs"],
  run: (id: string) => ["run", id],
  progress: (id: string) => ["progress", id],
} as const;

export const me = queryOptions({
  queryKey: keys.me,
  queryFn: ({ signal }) => get<Me>("/me", undefined, signal),
  staleTime: Number.POSITIVE_INFINITY,
});

export const permissions = (namespace: string) =>
  queryOptions({
    queryKey: keys.permissions(namespace),
    queryFn: ({ signal }) => get<Permissions>("/me/permissions", { namespace }, signal),
    staleTime: 60_000,
  });

function paged<T>(queryKey: readonly unknown[], where: string, query: Query) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam, signal }) =>
      get<Page<T>>(where, { limit: PAGE, ...query, cursor: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (last: Page<T>) => last.next ?? undefined,
  });
}

export const applications = (query: Query = {}) =>
  paged<ApplicationSummary>([...keys.applications, query], "/applications", query);

export const counts = queryOptions({
  queryKey: [...keys.applications, "counts"],
  queryFn: ({ signal }) => get<ApplicationCounts>("/applications/counts", undefined, signal),
});

/// What follows tells of the application that is there now, unless another history is named.
export const application = (namespace: string, name: string, history = "") =>
  queryOptions({
    queryKey: [...keys.application(namespace, name), "summary", history],
    queryFn: ({ signal }) =>
      get<ApplicationDetail>(path`/applications/${namespace}/${name}`, { history }, signal),
  });

export const versions = (namespace: string, name: string, history = "") =>
  paged<VersionSummary>(
    [...keys.application(namespace, name), "versions", history],
    path`/applications/${namespace}/${name}/versions`,
    { sort: "-number", history },
  );

/// The newest few versions, for the small line that shows how an application's size changes.
export const trend = (namespace: string, name: string, history = "") =>
  queryOptions({
    queryKey: [...keys.application(namespace, name), "trend", history],
    queryFn: ({ signal }) =>
      get<Page<VersionSummary>>(
        path`/applications/${namespace}/${name}/versions`,
        { sort: "-number", limit: TREND, history },
        signal,
      ),
    staleTime: 60_000,
  });

export const model = (namespace: string, name: string) =>
  queryOptions({
    queryKey: [...keys.application(namespace, name), "model"],
    queryFn: ({ signal }) =>
      get<ApplicationModel>(path`/applications/${namespace}/${name}/model`, undefined, signal),
    staleTime: 30_000,
  });

export const effectiveRules = (namespace: string, name: string, history = "") =>
  queryOptions({
    queryKey: [...keys.application(namespace, name), "rules", history],
    queryFn: ({ signal }) =>
      get<EffectivePolicies>(
        path`/applications/${namespace}/${name}/effective-policies`,
        { history },
        signal,
      ),
  });

/// The workloads that nothing protects, those with data first.
export const unprotected = paged<Unprotected>(keys.unprotected, "/unprotected", {});

/// What was told about an application, the newest first.
export const events = (namespace: string, name: string, query: Query) =>
  paged<ToldEvent>(
    [...keys.application(namespace, name), "events", query],
    path`/applications/${namespace}/${name}/events`,
    query,
  );

export const runs = (query: Query = {}) => paged<RunSummary>([...keys.runs, query], "/runs", query);

export const run = (id: string) =>
  queryOptions({
    queryKey: [...keys.run(id), "detail"],
    queryFn: ({ signal }) => get<RunDetail>(path`/runs/${id}`, undefined, signal),
  });

export const progress = (id: string) =>
  queryOptions({
    queryKey: keys.progress(id),
    queryFn: ({ signal }) =>
      get<{ steps: StepProgress[] }>(path`/runs/${id}/progress`, undefined, signal),
  });

const LOG_PAGE = 500;
const LOG_MAX = 5_000;

/// The whole log of a run; of a very long one the beginning.
export const logs = (id: string) =>
  queryOptions({
    queryKey: [...keys.run(id), "logs"],
    queryFn: async ({ signal }) => {
      const lines: LogLine[] = [];
      for (let cursor = ""; lines.length < LOG_MAX; ) {
        const query = { limit: LOG_PAGE, cursor };
        const page = await get<LogPage>(path`/runs/${id}/logs`, query, signal);
        lines.push(...page.items);
        if (page.items.length < LOG_PAGE) break;
        cursor = page.next;
      }
      return lines;
    },
  });
