/// What a person has chosen for a restore, as it stands in the address. Pure.
import type { Restore } from "@/api/restores";
import { given } from "@/shell/addresses";

export const STEPS = ["where", "what", "check", "confirm"] as const;
export type Step = (typeof STEPS)[number];

/// Texts of the address; what is not there is as it is by default.
export interface RestoreSearch {
  version?: string | undefined;
  history?: string | undefined;
  step?: string | undefined;
  /// The namespace to restore into; the application's own without.
  target?: string | undefined;
  /// `1`: what is there already is changed where it differs.
  existing?: string | undefined;
  /// `1`: files that the version does not hold go.
  extra?: string | undefined;
  /// `1`: what is damaged is left out.
  damaged?: string | undefined;
  /// Parts of the version, a line each; all of it without.
  paths?: string | undefined;
  /// The dry run that was made of just these choices.
  check?: string | undefined;
}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

export const isNamespace = (text: string): boolean => NAMESPACE.test(text);

export const pathsOf = ({ paths }: RestoreSearch): string[] =>
  (paths ?? "").split("\n").filter(Boolean);

export const targetOf = ({ target }: RestoreSearch, namespace: string): string =>
  target ?? namespace;

export const stepOf = ({ step }: RestoreSearch): Step =>
  STEPS.find((one) => one === step) ?? "where";

export function restoreOf(
  search: RestoreSearch,
  namespace: string,
  rest: Pick<Restore, "dry_run" | "needs_approval" | "reason">,
): Restore {
  const existing = search.existing === "1";
  return {
    version: Number(search.version),
    history: search.history ?? "",
    target_namespace: targetOf(search, namespace),
    paths: pathsOf(search),
    existing,
    delete_extra: existing && search.extra === "1",
    keep_going: search.damaged === "1",
    ...rest,
  };
}

/// Choose something else: what was checked before says nothing about it.
export function changed(search: RestoreSearch, change: RestoreSearch): RestoreSearch {
  const { check: _, ...kept } = search;
  return given({ ...kept, ...change });
}

export function withPath(paths: readonly string[], path: string, chosen: boolean): string {
  const others = paths.filter((one) => one !== path);
  return (chosen ? [...others, path] : others).join("\n");
}
