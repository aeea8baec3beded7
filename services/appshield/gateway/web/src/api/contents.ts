/// What a version holds, and how two of them differ.
///
/// A version never changes, so what is known of its contents stays true. Its record may change: it
/// is pinned, checked, copied.
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { address, command, get, path, type Query } from "./client";
import { keys, PAGE } from "./queries";
import type { Consistency, Failure, Started, TriggerKind } from "./types";

export interface VersionPlace {
  namespace: string;
  name: string;
  number: number;
  /// Which history of the application; nothing where there is only one.
  history?: string | undefined;
}

export interface Damage {
  paths: string[];
  paths_total: number;
}

export interface VersionSource {
  name: string;
  kind: string;
  bytes_read: number;
  bytes_stored: number;
  files: number;
  problems: string[];
  problems_total: number;
}

/// A content of a policy or profile, by its digest.
export interface DocumentRevision {
  kind: "Policy" | "Profile";
  name: string;
  revision: string;
}

export interface VersionFacts {
  app_id: string;
  number: number;
  run: string;
  revision: string;
  consistency: Consistency;
  cut_at: string;
  trigger: TriggerKind;
  trigger_name: string;
  actor: string;
  quiesced_ms: number;
  skipped: string[];
  warnings: string[];
  sources: VersionSource[];
  /// What made the version beside the application's own document.
  documents: DocumentRevision[];
}

export interface VersionCopy {
  vault: string;
  state: "pending" | "copying" | "stored" | "failed" | "forgotten";
  stored_at: string | null;
  damage: Damage | null;
  verified_at: string | null;
  failure: Failure | null;
  again_at: string | null;
  locked_until: string | null;
}

export interface VersionRecord {
  facts: VersionFacts;
  vault: string;
  stored_at: string;
  pinned: boolean;
  damage: Damage | null;
  verified_at: string | null;
  copies: VersionCopy[];
  locked_until: string | null;
}

export interface HeldParts {
  components: { name: string; workload_kind: string; workload_name: string; strategy: string }[];
  volumes: { claim: string; component: string; method: "snapshot" | "live"; reason: string }[];
  images: { workload: string; container: string; image: string; digest: string }[];
  warnings: string[];
}

export interface HeldObject {
  group: string;
  kind: string;
  name: string;
  exact_path: string;
  size_bytes: number;
}

export interface HeldEntry {
  path: string;
  /// Percent-encoded: means this very entry, also where its name is no text.
  exact_path: string;
  kind: string;
  mode: string;
  uid: number;
  gid: number;
  size_bytes: number;
  modified_at: string;
  target: string;
}

export interface ShownChange {
  path: string;
  change: "added" | "removed" | "changed";
  reasons: string[];
  size_before_bytes: number;
  size_after_bytes: number;
  fields: string[];
}

export type Changed = "objects" | "files";

/// A part of a list that nobody has counted.
export interface Part<T> {
  items: T[];
  next: string | null;
}

const FOREVER = { staleTime: Number.POSITIVE_INFINITY };

const base = ({ namespace, name, number }: VersionPlace): string =>
  path`/applications/${namespace}/${name}/versions/${number}`;

const held = (place: VersionPlace, ...what: unknown[]): unknown[] => [
  "held",
  place.namespace,
  place.name,
  place.number,
  place.history ?? "",
  ...what,
];

export const version = (place: VersionPlace) =>
  queryOptions({
    queryKey: [
      ...keys.application(place.namespace, place.name),
      "version",
      place.number,
      place.history ?? "",
    ],
    queryFn: ({ signal }) => get<VersionRecord>(base(place), { history: place.history }, signal),
  });

export const parts = (place: VersionPlace) =>
  queryOptions({
    queryKey: held(place, "parts"),
    queryFn: ({ signal }) =>
      get<HeldParts>(`${base(place)}/parts`, { history: place.history }, signal),
    ...FOREVER,
  });

export const heldObjects = (place: VersionPlace) =>
  partly<HeldObject>(held(place, "objects"), `${base(place)}/objects`, {
    history: place.history,
    limit: 500,
  });

/// What stands in a folder; or whatever below it has a name like the pattern.
export const files = (place: VersionPlace, exact: string, pattern = "") =>
  partly<HeldEntry>(held(place, "files", exact, pattern), at(`${base(place)}/files`, exact), {
    history: place.history,
    pattern,
  });

export const changes = (older: VersionPlace, newer: number, what: Changed) =>
  partly<ShownChange>(held(older, "changes", newer, what), `${base(older)}/diff/${newer}`, {
    what,
    history: older.history,
  });

/// The address from which a browser downloads a file, or a folder as an archive.
export const download = (place: VersionPlace, exact: string): string =>
  address(at(`${base(place)}/content`, exact), { history: place.history });

export const pinVersion = (place: VersionPlace, pinned: boolean) =>
  command<Started>(`${base(place)}/pin${history(place)}`, undefined, pinned ? "PUT" : "DELETE");

export const copyVersion = (place: VersionPlace, vault: string) =>
  command<Started>(`${base(place)}/copies${history(place)}`, { vault });

export const forgetVersion = (place: VersionPlace) =>
  command<Started>(`${base(place)}${history(place)}`, undefined, "DELETE");

const history = (place: VersionPlace): string =>
  place.history ? path`?history=${place.history}` : "";

/// The path is percent-encoded byte for byte already: encoding it again would mean another file.
const at = (where: string, exact: string): string => (exact ? `${where}?path=${exact}` : where);

function partly<T>(queryKey: unknown[], where: string, query: Query) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: async ({ pageParam, signal }) => {
      // The API looks through so many names at a time, of which none may be like what is looked for.
      for (let cursor = pageParam; ; ) {
        const part = await get<Part<T>>(where, { limit: PAGE, ...query, cursor }, signal);
        if (part.items.length > 0 || part.next === null) return part;
        cursor = part.next;
      }
    },
    initialPageParam: "",
    getNextPageParam: (last: Part<T>) => last.next ?? undefined,
    ...FOREVER,
  });
}
