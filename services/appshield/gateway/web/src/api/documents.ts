/// Documents of AppShield: read, checked, tried out, written; and what they said before.
import { queryOptions } from "@tanstack/react-query";
import { ask, get, path } from "./client";
import { keys } from "./queries";
import type { Page } from "./types";

export type DocumentKind = "Application" | "Policy" | "Profile" | "Vault";

/// Stands for the namespace of a kind that is in none.
export const NOWHERE = "-";

export interface DocumentPlace {
  kind: DocumentKind;
  /// `-` for a kind that stands in no namespace.
  namespace: string;
  name: string;
}

export interface StoredDocument {
  etag: string;
  document: Record<string, unknown>;
}

export interface Finding {
  line: number;
  column: number;
  field: string;
  wrong: string;
  right: string;
}

export interface Validation {
  valid: boolean;
  report: {
    documents: { line: number; kind: DocumentKind; namespace: string; name: string }[];
    errors: Finding[];
    warnings: Finding[];
  };
  notes: string[];
}

export interface PreviewedRule {
  name: string;
  when: string;
  next_times: string[];
  keeps: string;
  targets: string[];
}

export interface PreviewedApplication {
  app_id: string;
  namespace: string;
  name: string;
  outcome: "matches" | "differs" | "undecided";
  why: string;
  matched: boolean;
  rules: PreviewedRule[];
}

export interface PolicyPreview {
  policy: string;
  matches: number;
  differs: number;
  undecided: number;
  applications: PreviewedApplication[];
}

export interface PolicySummary {
  name: string;
  match: string;
  rules: string[];
  targets: string[];
  reactions: number;
  applications: number;
  undecided: number;
  settled: boolean;
  refused: string;
}

export interface Revision {
  revision: { digest: string; generation: number; since: string };
  in_force: boolean;
  versions: number[];
}

/// A part of a JSON Schema, as far as an editor needs it.
export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  title?: string;
  description?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  pattern?: string;
}

const documentKey = ({ kind, namespace, name }: DocumentPlace) => [
  "document",
  kind,
  namespace,
  name,
];

const where = ({ kind, namespace, name }: DocumentPlace): string =>
  path`/documents/${kind}/${namespace}/${name}`;

export const policies = queryOptions({
  queryKey: [...keys.policies, "list"],
  queryFn: ({ signal }) => get<Page<PolicySummary>>("/policies", { limit: 500 }, signal),
});

export const document = (place: DocumentPlace) =>
  queryOptions({
    queryKey: documentKey(place),
    queryFn: ({ signal }) => get<StoredDocument>(where(place), undefined, signal),
    // While somebody edits it, another state of it must not come in between.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });

export const proposal = (namespace: string) =>
  queryOptions({
    queryKey: ["proposal", namespace],
    queryFn: ({ signal }) => get<{ text: string }>(path`/unprotected/${namespace}`, {}, signal),
  });

export const schema = (kind: DocumentKind) =>
  queryOptions({
    queryKey: ["schema", kind],
    queryFn: ({ signal }) => get<Schema>(path`/schemas/${kind}`, undefined, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const validation = (text: string, namespace: string) =>
  queryOptions({
    queryKey: ["validation", namespace, text],
    queryFn: async ({ signal }) => {
      const query = { namespace: namespace === NOWHERE ? undefined : namespace };
      const options = { method: "POST", body: text, query, signal } as const;
      return (await ask<Validation>("/documents/validate", options)).data;
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });

export const preview = (text: string) =>
  queryOptions({
    queryKey: ["preview", text],
    queryFn: async ({ signal }) => {
      const options = { method: "POST", body: text, query: { limit: 100 }, signal } as const;
      return (await ask<PolicyPreview>("/documents/preview", options)).data;
    },
    gcTime: 60_000,
  });

export interface Writing {
  place: DocumentPlace;
  text: string;
  /// The state that is meant; nothing where there was none.
  etag: string;
  dryRun?: boolean;
}

export async function writeDocument({ place, text, etag, dryRun }: Writing) {
  return ask<StoredDocument>(where(place), {
    method: "PUT",
    body: text,
    query: { dry_run: dryRun || undefined },
    headers: etag ? { "If-Match": etag } : {},
  });
}

const REVISIONS = "revisions";

export const revisions = (place: DocumentPlace) =>
  queryOptions({
    queryKey: [...documentKey(place), REVISIONS],
    queryFn: ({ signal }) =>
      get<Page<Revision>>(`${where(place)}/${REVISIONS}`, { limit: 100 }, signal),
  });

export const revisionChanges = (place: DocumentPlace, from: string, to: string) =>
  queryOptions({
    queryKey: [...documentKey(place), REVISIONS, from, to],
    queryFn: ({ signal }) =>
      get<{ lines: string[] }>(`${where(place)}/${REVISIONS}/diff`, { from, to }, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
