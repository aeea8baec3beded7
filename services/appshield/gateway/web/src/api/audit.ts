/// The audit: who did what, and whether its chain is whole.
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { address, get, type Query } from "./client";
import type { Part } from "./contents";
import { PAGE } from "./queries";

export const DOORS = ["local", "rest", "object", "gate", "bus", "policy", "appshield"] as const;
export const OUTCOMES = [
  "begun",
  "admitted",
  "allowed",
  "denied",
  "refused",
  "succeeded",
  "failed",
  "cancelled",
] as const;
export type Door = (typeof DOORS)[number];
export type AuditOutcome = (typeof OUTCOMES)[number];

export interface AuditEntry {
  chain: string;
  sequence: number;
  previous: string;
  recorded_at: string;
  /// What is empty is left out.
  event: {
    app: { cluster: string; namespace: string; name: string };
    id: string;
    at: string;
    action: string;
    outcome: AuditOutcome;
    door: Door;
    actor?: string;
    address?: string;
    authenticated_by?: string;
    cause?: string;
    versions?: number[];
    paths?: string[];
    size_bytes?: number;
    target?: string;
    vault?: string;
    object?: string;
    run?: string;
    reason?: string;
    request_id?: string;
  };
}

export interface AuditVerification {
  whole: boolean;
  first: number;
  last: number;
  archived_to: number;
  segments: number;
  findings: { chain: string; what: string; first: number; last: number }[];
  findings_total: number;
  vaults_unread: string[];
}

export const audit = (query: Query) =>
  infiniteQueryOptions({
    queryKey: ["audit", "entries", query],
    queryFn: ({ pageParam, signal }) =>
      get<Part<AuditEntry>>("/audit", { limit: PAGE, ...query, cursor: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (last: Part<AuditEntry>) => last.next ?? undefined,
    staleTime: 0,
  });

export const auditVerification = queryOptions({
  queryKey: ["audit", "verification"],
  queryFn: ({ signal }) => get<AuditVerification>("/audit/verification", undefined, signal),
  staleTime: 60_000,
});

export const auditExport = (query: Query): string => address("/audit/export", query);
