/// Reports: which promises about recovery were kept.
import { queryOptions } from "@tanstack/react-query";
import { address, get, type Query } from "./client";

export interface ObjectiveRow {
  name: string;
  applications: number;
  promised: number;
  /// From 0 to 1: the part of the time in which promises held; null where nothing was promised.
  rpo_kept: number | null;
  rpo_broken_s: number;
  rto_promised: number;
  rto_proved: number;
  rto_measured: number;
  /// From 0 to 1: the part of the restores that took no longer than promised.
  rto_kept: number | null;
  rto_last_s: number | null;
  rto_worst_s: number | null;
}

/// One day (UTC) of a row; `rto_worst_s` is the longest restore that ended on it.
export interface ObjectiveDay {
  day: string;
  name: string;
  rpo_kept: number | null;
  rto_kept: number | null;
  rto_worst_s: number | null;
}

export interface Objectives {
  from: string;
  to: string;
  items: ObjectiveRow[];
  days: ObjectiveDay[];
}

const WHERE = "/reports/objectives";

export const objectives = (query: Query) =>
  queryOptions({
    queryKey: ["reports", query],
    queryFn: ({ signal }) => get<Objectives>(WHERE, query, signal),
    staleTime: 60_000,
  });

/// The address from which a browser saves the same as CSV.
export const objectivesCsv = (query: Query): string => address(WHERE, { ...query, format: "csv" });
