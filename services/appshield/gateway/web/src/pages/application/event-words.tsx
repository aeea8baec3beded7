/// What was told about an application, as a sentence in the person's language; what others have said
/// about it stands behind it as they wrote it.
import type { EventCode, Health, RpoState, RunKind, RunState, ToldEvent } from "@/api/types";
import { Foreign } from "@/design/foreign";
import { visible } from "@/design/visible";
import type { Formats } from "@/i18n/formats";
import { type Translate, useFormats, useTranslate } from "@/i18n/language";
import type { MessageKey } from "@/i18n/messages";
import { stepNameOf } from "@/pages/runs/step-name";

type Values = Readonly<Record<string, string>>;

export function EventWords({ told: { code, values = {} } }: { told: ToldEvent }) {
  const t = useTranslate();
  const formats = useFormats();
  const sentence = SENTENCES[code](values, t, formats);
  const { why } = values;
  return (
    <>
      {sentence}
      {why && (
        <>
          {sentence && ": "}
          <Foreign text={why} />
        </>
      )}
    </>
  );
}

type Sentence = (values: Values, t: Translate, formats: Formats) => string;

const SENTENCES: Readonly<Record<EventCode, Sentence>> = {
  run: ({ kind = "", state = "", version }, t) => {
    const what = `${t(`kind.${kind as RunKind}`)}${version ? ` v${version}` : ""}`;
    return t("told.run", { what, state: t(`run.${state as RunState}`) });
  },
  step: ({ step = "" }, t) => t("told.step", { step: stepWords(step, t) }),
  "step-failed": ({ step = "" }, t) => t("told.step-failed", { step: stepWords(step, t) }),
  "step-failed-again": ({ step = "" }, t) =>
    t("told.step-failed-again", { step: stepWords(step, t) }),
  unchanged: ({ version = "" }, t) => t("told.unchanged", { version }),
  change: (values, t) => t("told.change", named(values)),
  "change-gone": (values, t) => t("told.change-gone", named(values)),
  health: ({ health = "Unknown", before = "Unknown" }, t) =>
    t("told.health", {
      health: t(`health.${health as Health}`),
      before: t(`health.${before as Health}`),
    }),
  "document-in-force": (_, t) => t("told.document-in-force"),
  "document-refused": (_, t) => t("told.document-refused"),
  "document-gone": (_, t) => t("told.document-gone"),
  paused: ({ actor }, t) => (actor ? t("told.paused-by", { actor }) : t("told.paused")),
  resumed: ({ actor }, t) => (actor ? t("told.resumed-by", { actor }) : t("told.resumed")),
  rpo: ({ state = "", promised_s = "0", since = "" }, t, formats) =>
    t("told.rpo", {
      state: t(`rpo.${state as RpoState}`),
      promised: formats.duration(Number(promised_s)),
      since: formats.day(new Date(since)),
    }),
  rto: ({ state = "", promised_s = "0", expected_s }, t, formats) => {
    const promised = formats.duration(Number(promised_s));
    const stands = t(`told.rto.${state as "kept" | "unproved" | "at-risk" | "broken"}`);
    return expected_s
      ? t("told.rto-expected", {
          stands,
          promised,
          expected: formats.duration(Number(expected_s)),
        })
      : t("told.rto", { stands, promised });
  },
  reaction: ({ policy, when = "", action = "" }, t) => {
    const words = ACTIONS[action];
    const values = { when, action: words ? t(words) : action, policy: policy ?? "" };
    return policy ? t("told.reaction-of", values) : t("told.reaction", values);
  },
  other: () => "",
};

const ACTIONS: Readonly<Record<string, MessageKey>> = {
  backup: "kind.backup",
  restore: "kind.restore",
  notify: "told.notice",
};

function stepWords(name: string, t: Translate): string {
  const { does, subject } = stepNameOf(name);
  return [does && t(does), visible(subject)].filter(Boolean).join(" ");
}

const named = ({ object = "", rule = "" }: Values) => ({ object: visible(object), rule });
