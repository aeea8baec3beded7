/// What the API answers, by the names of its description (contracts/openapi.json).
import type { components } from "./schema";

type Schemas = components["schemas"];

export type ApplicationCounts = Schemas["ApplicationCounts"];
export type ApplicationDetail = Schemas["ApplicationDetail"];
export type ApplicationModel = Schemas["Model"];
export type ApplicationSummary = Schemas["ApplicationSummary"];
export type EffectivePolicies = Schemas["EffectivePolicies"];
export type Failure = Schemas["Failure"];
export type HealthFacts = Schemas["Health"];
export type Keep = Schemas["contracts_applications_Keep"];
export type LogLine = Schemas["LogLine"];
export type LogPage = Schemas["LogPage"];
export type Me = Schemas["Me"];
export type ModelObject = Schemas["ModelObject"];
export type ModelVolume = Schemas["ModelVolume"];
export type Permissions = Schemas["Permissions"];
export type Protection = Schemas["Protection"];
export type Rpo = Schemas["Rpo"];
export type RuleInForce = Schemas["RuleInForce"];
export type RunDetail = Schemas["RunDetail"];
export type RunStep = Schemas["Step"];
export type RunSummary = Schemas["RunSummary"];
export type Started = Schemas["Accepted"];
/// Without the rate, which events of the stream do not tell: the page measures it itself.
export type StepProgress = Omit<Schemas["StepProgress"], "rate_bytes_s">;
export type ToldEvent = Schemas["ToldEvent"];
export type Unprotected = Schemas["Unprotected"];
export type VersionSummary = Schemas["VersionSummary"];

export type EventCode = ToldEvent["code"];
export type EventKind = ToldEvent["kind"];
export type WaitReason = Schemas["Wait"]["reason"];
export type Health = HealthFacts["status"];
export type Consistency = VersionSummary["consistency"];
export type TriggerKind = VersionSummary["trigger"];
export type RpoState = Rpo["state"];
export type RunKind = RunSummary["kind"];
export type RunState = RunSummary["state"];
export type StepState = RunStep["state"];

export interface Page<T> {
  items: T[];
  total: number;
  next: string | null;
}
