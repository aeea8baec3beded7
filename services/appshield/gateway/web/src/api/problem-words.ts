/// What people are told of an error: what of it is AppShield's own in their language, and the rest
/// as the API has written it, in English. Pure.

import type { Translate } from "@/i18n/language";
import type { MessageKey } from "@/i18n/messages";
import { NOT_FOUND, OUTDATED, ProblemError, SIGNED_OUT, UNREACHABLE } from "./problems";

/// What happened, and what to do next where the API does not propose it, by status.
const WORDS: Readonly<Record<number, readonly [MessageKey, MessageKey?]>> = {
  [OUTDATED]: ["error.outdated", "error.outdated.next"],
  [UNREACHABLE]: ["error.unreachable", "error.unreachable.next"],
  400: ["error.invalid"],
  [SIGNED_OUT]: ["error.signed-out", "error.signed-out.next"],
  403: ["error.denied", "error.denied.next"],
  [NOT_FOUND]: ["error.not-found", "error.not-found.next"],
  409: ["error.refused"],
  412: ["error.changed", "error.changed.next"],
  413: ["error.too-large"],
  422: ["error.invalid"],
  428: ["error.changed", "error.changed.next"],
  429: ["error.too-often", "error.too-often.next"],
  500: ["error.bug", "error.bug.next"],
  502: ["error.damaged"],
  503: ["error.unavailable", "error.unavailable.next"],
  504: ["error.late", "error.unavailable.next"],
};

export interface ToldProblem {
  status: number;
  title: string;
  /// English.
  why: string;
  next: { text: string; ours: boolean } | undefined;
  request: string;
}

export function toldOf(error: Error, t: Translate): ToldProblem {
  const problem = error instanceof ProblemError ? error.problem : undefined;
  const status = problem?.status ?? Number.NaN;
  const [title, step] = WORDS[status] ?? (["error.other"] as const);
  // What the API proposes is for its callers; who looks for a page looks for another one.
  const proposed = status === NOT_FOUND || status === SIGNED_OUT ? "" : problem?.next_step;
  const ours = step && { text: t(step), ours: true };
  return {
    status,
    title: t(title),
    why: problem?.detail ?? (status > 0 && !WORDS[status] ? (problem?.title ?? "") : ""),
    next: proposed ? { text: proposed, ours: false } : ours,
    request: problem?.request_id ?? "",
  };
}
