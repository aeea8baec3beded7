/// Bringing a version back: what can be asked for, and what would come of it.
import { queryOptions } from "@tanstack/react-query";
import { command, get, path } from "./client";
import { keys } from "./queries";
import type { Started } from "./types";

export interface Restore {
  version: number;
  history: string;
  target_namespace: string;
  paths: string[];
  existing: boolean;
  delete_extra: boolean;
  keep_going: boolean;
  dry_run: boolean;
  needs_approval: boolean;
  reason: string;
}

export interface VolumeTarget {
  source: string;
  claim: string;
  namespace: string;
  present: boolean;
  size_bytes: number;
}

export interface VolumeChanges {
  source: string;
  overwritten: string[];
  overwritten_total: number;
  deleted: string[];
  deleted_total: number;
  created_total: number;
}

export interface Plan {
  target_namespace: string;
  objects: string[];
  present: string[];
  volumes: VolumeTarget[];
  dumps: { source: string; component: string; namespace: string; size_bytes: number }[];
  images: string[];
  warnings: string[];
  lost: string[];
  lost_total: number;
  changes: VolumeChanges[];
}

export const restoreVersion = (namespace: string, name: string, body: Restore) =>
  command<Started>(path`/applications/${namespace}/${name}/restores`, body);

export const plan = (run: string) =>
  queryOptions({
    queryKey: [...keys.run(run), "plan"],
    queryFn: ({ signal }) => get<Plan>(path`/runs/${run}/plan`, undefined, signal),
  });
