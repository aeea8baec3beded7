/// What a step does, for people: its name is a word of the API, such as `store/volumes/data`.

import { runs } from "@/i18n/en/runs";
import type { MessageKey } from "@/i18n/messages";

export interface StepName {
  /// What it does; nothing where only its name is known.
  does: MessageKey | undefined;
  /// What it is about.
  subject: string;
}

/// Read a name: what is done, about what, and in which round, as in `load/volumes/data=2`.
export function stepNameOf(name: string): StepName {
  const [, kind = "", subject = ""] = /^([^/=]*)\/?([^=]*)/.exec(name) ?? [];
  const does = `step.does.${kind}`;
  return isMessage(does) ? { does, subject } : { does: undefined, subject: name };
}

const isMessage = (key: string): key is keyof typeof runs => key in runs;
