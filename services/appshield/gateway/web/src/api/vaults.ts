/// Vaults: what is in them, how they grow, whether they are whole.
import { queryOptions } from "@tanstack/react-query";
import { command, get, path } from "./client";
import type { Started } from "./types";

export interface VaultSummary {
  name: string;
  endpoint: string;
  bucket: string;
  prefix: string;
  region: string;
  read_only: boolean;
  object_lock: { mode: string; days: number } | null;
  refused: string;
  contents: {
    applications: number;
    versions: number;
    read_bytes: number;
    last_stored_at: string | null;
    damaged_versions: number;
  };
}

export interface GrowthPoint {
  day: string;
  versions: number;
  read_bytes: number;
  stored_bytes: number;
}

export interface Integrity {
  namespace: string;
  name: string;
  history: string;
  versions: number;
  verified_versions: number;
  damaged_versions: number[];
  checked_at: string | null;
  pruned_at: string | null;
  problems: string[];
}

export interface VaultSpace {
  measured_at: string;
  size_bytes: number;
  objects: number;
  plain_bytes: number;
  stored_bytes: number;
  deduplication: number;
  compression: number;
  not_counted: Record<string, string>;
  applications: { namespace: string; name: string; history: string; size_bytes: number }[];
}

export interface VaultDetail {
  summary: VaultSummary;
  space: VaultSpace | null;
  growth: GrowthPoint[];
  integrity: Integrity[];
}

const MEASURING_MS = 3_000;

export const vaultKeys = { all: ["vaults"], one: (name: string) => ["vaults", name] } as const;

export const vaults = queryOptions({
  queryKey: [...vaultKeys.all, "list"],
  queryFn: ({ signal }) => get<{ items: VaultSummary[] }>("/vaults", undefined, signal),
});

export const vault = (name: string) =>
  queryOptions({
    queryKey: vaultKeys.one(name),
    queryFn: ({ signal }) => get<VaultDetail>(path`/vaults/${name}`, undefined, signal),
    // The bucket is measured behind the scenes the first time.
    refetchInterval: ({ state }) => (state.data && !state.data.space ? MEASURING_MS : false),
  });

export const checkRepository = (vaultName: string, { namespace, name, history }: Integrity) =>
  command<Started>(path`/applications/${namespace}/${name}/maintenance?history=${history}`, {
    task: "check",
    vault: vaultName,
    contents: "sample",
  });
