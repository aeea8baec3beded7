/// Documents to begin with. Pure.
import { stringify } from "yaml";
import type { DocumentKind } from "@/api/documents";

const POLICY = `apiVersion: appshield.io/v1alpha1
kind: Policy
metadata:
  name: nightly
spec:
  # Which applications get this protection; \`app\` is the application.
  match: app.criticality == 'gold'
  protect:
    - name: nightly
      on:
        schedule: "30 2 * * *"
      keep:
        daily: 14
        weekly: 8
`;

const APPLICATION = `apiVersion: appshield.io/v1alpha1
kind: Application
metadata:
  name: NAME
  namespace: NAMESPACE
spec:
  select:
    matchLabels:
      app: NAME
`;

export function templateOf(kind: DocumentKind, namespace: string): string {
  if (kind === "Application") return APPLICATION.replaceAll("NAMESPACE", namespace || "default");
  return POLICY;
}

/// What only the cluster writes is nothing to edit.
const WRITTEN_BY_CLUSTER = [
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "managedFields",
  "selfLink",
];

export function textOf(document: Record<string, unknown>): string {
  const { status: _, metadata, ...rest } = document;
  const kept = Object.entries((metadata ?? {}) as Record<string, unknown>).filter(
    ([name]) => !WRITTEN_BY_CLUSTER.includes(name),
  );
  const { apiVersion, kind, ...others } = rest;
  const ordered = { apiVersion, kind, metadata: Object.fromEntries(kept), ...others };
  return stringify(ordered, { lineWidth: 0 });
}
