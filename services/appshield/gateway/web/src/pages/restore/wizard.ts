/// What every step of the wizard is given.
import type { VersionRecord } from "@/api/contents";
import type { RestoreSearch, Step } from "./choices";

export interface WizardProps {
  namespace: string;
  name: string;
  record: VersionRecord;
  search: RestoreSearch;
  /// Change what is chosen.
  choose: (change: RestoreSearch) => void;
  /// Go on, or back.
  go: (step: Step) => void;
  /// Keep the dry run that was made of what is chosen.
  checked: (run: string) => void;
  /// Why the person may not do this; nothing where they may.
  refusal: string | undefined;
}
