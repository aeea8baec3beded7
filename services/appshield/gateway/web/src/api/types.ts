/// What the API answers, as this interface reads it.

export type Health = "Healthy" | "Progressing" | "Degraded" | "Missing" | "Unknown";
export type RpoState = "kept" | "at-risk" | "broken";
export type Consistency = "application" | "crash-group" | "crash-per-volume" | "live";
export type RunKind =
  | "backup"
  | "restore"
  | "catalog"
  | "forget"
  | "prune"
  | "check"
  | "repair"
  | "pin"
  | "copy";
export type RunState =
  | "pending"
  | "awaiting-approval"
  | "running"
  | "ending"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "folded";
export type StepState = "running" | "done" | "failed";
export type TriggerKind =
  | "manual"
  | "schedule"
  | "rpo"
  | "change"
  | "signal"
  | "health"
  | "gate"
  | "upkeep"
  | "reaction";

export interface Page<T> {
  items: T[];
  total: number;
  next: string | null;
}

export interface Failure {
  what: string;
  why?: string;
  next_step?: string;
}

export interface HealthReason {
  object: string;
  why: string;
}

export interface HealthFacts {
  status: Health;
  since: string;
  reasons?: HealthReason[];
  reasons_total?: number;
  deliberate?: string;
}

export interface Rpo {
  promised_s: number;
  state: RpoState;
  since: string;
  counted_from: string;
  version?: number;
}

export interface Pause {
  at: string;
  actor?: string;
  reason?: string;
}

export interface ApplicationSummary {
  app_id: string;
  namespace: string;
  name: string;
  state: "active" | "orphaned";
  type: string;
  criticality: string;
  health: Health | "";
  reason: string;
  rpo: RpoState | "";
  rpo_promised_s: number;
  rpo_counted_from: string | null;
  last_version: number;
  last_backup_at: string | null;
  vault: string;
  active_run: string;
  pending_runs: number;
  awaiting_approval: string[];
  paused: boolean;
  refused: string;
}

/// How many there are of each kind, of those that the person may see.
export interface ApplicationCounts {
  total: number;
  health: Partial<Record<Health, number>>;
  rpo: Partial<Record<RpoState, number>>;
}

export interface ApplicationDetail {
  summary: ApplicationSummary;
  revision: string;
  health: HealthFacts | null;
  rpo: Rpo | null;
  paused: Pause | null;
  targets: string[];
  policies: string[];
  undecided: Record<string, string>;
  findings: string[];
  last_restore: { run: string; version: number; took_s: number; ended_at: string } | null;
  versions: number;
  active_run: RunSummary | null;
  pending_runs: RunSummary[];
  other_histories: string[];
}

export interface VersionSummary {
  number: number;
  app_id: string;
  run: string;
  cut_at: string;
  stored_at: string;
  consistency: Consistency;
  trigger: TriggerKind;
  trigger_name: string;
  actor: string;
  quiesced_ms: number;
  read_bytes: number;
  stored_bytes: number;
  warnings: number;
  pinned: boolean;
  verified_at: string | null;
  vaults: string[];
  damaged: string[];
}

export interface Trigger {
  kind: TriggerKind;
  name?: string;
  actor?: string;
  reason?: string;
}

export interface Wait {
  reason: "settle" | "at-most" | "blackout" | "limit";
  why: string;
  since: string;
  until?: string | null;
}

export interface RunSummary {
  id: string;
  kind: RunKind;
  namespace: string;
  name: string;
  app_id: string;
  vault: string;
  state: RunState;
  trigger: Trigger;
  requested_at: string;
  started_at: string | null;
  finished_at: string | null;
  version: number | null;
  problem: string;
  waits_for: string;
}

export interface RunStep {
  name: string;
  state: StepState;
  attempt: number;
  started_at: string;
  deadline_at?: string;
  finished_at?: string | null;
  node?: string;
  worker?: string;
  failure?: Failure | null;
}

export interface RunDetail {
  summary: RunSummary;
  folded_into: string;
  steps: RunStep[];
  failure: Failure | null;
  wait: Wait | null;
  needs_approval: boolean;
  approval: { actor: string; at: string } | null;
  backup: BackupProgress | null;
  restore: RestoreProgress | null;
}

export interface StoredSource {
  name: string;
  kind: string;
  bytes_read?: number;
  bytes_stored?: number;
  files?: number;
  problems?: string[];
  problems_total?: number;
}

export interface BackupProgress {
  stored?: StoredSource[];
}

export interface RestoreProgress {
  version: number;
  target_namespace: string;
  paths?: string[];
  existing?: boolean;
  dry_run?: boolean;
  bytes_written?: number;
  problems?: string[];
  lost?: string[];
}

export interface StepProgress {
  step: string;
  bytes_done: number;
  bytes_total?: number;
  bytes_stored?: number;
  at: string;
}

export interface LogLine {
  run: string;
  service: string;
  level: string;
  event: string;
  at: string;
  fields?: Record<string, string>;
}

/// `next` goes on behind these lines, also where there are none yet.
export interface LogPage {
  items: LogLine[];
  next: string;
}

export interface ModelObject {
  id: string;
  group: string;
  kind: string;
  namespace: string;
  name: string;
  why: string;
  saved: boolean;
  component: string;
  problem: string;
}

export interface ModelEdge {
  source: string;
  target: string;
  relation: "owns" | "refers";
  how: string;
}

/// A volume with data; without a method it is not saved.
export interface ModelVolume {
  claim: string;
  component: string;
  method: "snapshot" | "live" | null;
  reason: string;
  storage_class: string;
  size: string;
}

export interface ApplicationModel {
  objects: ModelObject[];
  edges: ModelEdge[];
  volumes: ModelVolume[];
  left_out: string[];
  missing: string[];
  obstacles: string[];
}

export interface Keep {
  last?: number;
  hourly?: number;
  daily?: number;
  weekly?: number;
  monthly?: number;
  yearly?: number;
  within_s?: number;
}

/// What makes versions, as the planner works by it.
export interface Protection {
  name: string;
  trigger: TriggerKind;
  schedule?: string;
  timezone?: string;
  rpo_s?: number;
  change_of?: string[];
  signal?: string;
  health?: string;
  before?: string[];
  when?: string;
  keep?: Keep | null;
}

export interface RuleInForce {
  rule: Protection;
  policy: string;
  targets: string[];
  next_times: string[];
}

export interface EffectivePolicies {
  policies: string[];
  undecided: Record<string, string>;
  rules: RuleInForce[];
  targets: string[];
  findings: string[];
}

/// A workload that belongs to no application.
export interface Unprotected {
  namespace: string;
  kind: string;
  name: string;
  profile: string;
  why: string;
  keeps_data: boolean;
}

export interface ProposedDocument {
  namespace: string;
  text: string;
}

export interface Me {
  name: string;
  groups?: string[];
  how?: string;
}

export interface Permissions {
  namespace: string;
  actions: string[];
}

export interface Started {
  run: string;
}
