/// What the person may do, so that what is refused is seen before it is tried.
import { useQuery } from "@tanstack/react-query";
import { useTranslate } from "@/i18n/language";
import { permissions } from "./queries";

/// The actions of the API, by its own names.
export type ActionName =
  | "see-applications"
  | "see-versions"
  | "see-runs"
  | "see-policies"
  | "see-profiles"
  | "see-vaults"
  | "back-up"
  | "cancel"
  | "pause"
  | "keep"
  | "signal"
  | "read-data"
  | "restore"
  | "approve"
  | "forget"
  | "maintain"
  | "change-vaults"
  | "see-audit"
  | "handle-parked";

export type Refusal = (action: ActionName) => string | undefined;

/// Give a question: why may the person not do this in the namespace? Nothing if it is allowed.
///
/// Whether it is allowed is decided by the API, each time; until it has said so nothing is refused.
export function useRefusal(namespace: string): Refusal {
  const t = useTranslate();
  const { data } = useQuery(permissions(namespace));
  return (action) => {
    if (data === undefined || data.actions.includes(action)) return undefined;
    const what = t(`action.${action}`);
    return namespace ? t("refusal.namespace", { what, namespace }) : t("refusal.cluster", { what });
  };
}
