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
      "on":
        schedule: "30 2 * * *"
      keep:
        daily: 14
        weekly: 8
`;

const APPLICATION = `apiVersion: appshield.io/v1alpha1
kind: Application
metadata:
  name: shop
  namespace: NAMESPACE
spec:
  # Which objects belong to it; without this, everything in its namespace.
  resources:
    selector:
      matchLabels:
        app: shop
  protect:
    - name: nightly
      "on":
        schedule: "30 2 * * *"
      keep:
        daily: 14
`;

const VAULT = `apiVersion: appshield.io/v1alpha1
kind: Vault
metadata:
  name: primary
spec:
  # The bucket of an S3-compatible store; it has to be there.
  endpoint: https://s3.example.org
  bucket: backups
  credentialsSecret: { namespace: appshield, name: s3-credentials }
  # With this key and the bucket all is found again: keep a copy of it elsewhere.
  keySecret: { namespace: appshield, name: root-key }
`;

const PROFILE = `apiVersion: appshield.io/v1alpha1
kind: Profile
metadata:
  name: own
spec:
  # How each component of this type is saved, where its document says nothing else.
  type: database/own
  description: Locks its tables while the snapshot is cut.
  strategy: snapshot
  quiesce: { command: [own, lock] }
  resume: { command: [own, unlock] }
`;

const TEMPLATES: Readonly<Record<DocumentKind, string>> = {
  Application: APPLICATION,
  Policy: POLICY,
  Profile: PROFILE,
  Vault: VAULT,
};

export function templateOf(kind: DocumentKind, namespace: string): string {
  return TEMPLATES[kind].replaceAll("NAMESPACE", namespace || "default");
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
