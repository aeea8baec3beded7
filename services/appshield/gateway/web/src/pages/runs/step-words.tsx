/// What a step does, in words.
import { useTranslate } from "@/i18n/language";
import { stepNameOf } from "./step-name";

export function StepWords({ name }: { name: string }) {
  const t = useTranslate();
  const { does, subject } = stepNameOf(name);
  return (
    <>
      {does && t(does)} {subject && <code className="mono">{subject}</code>}
    </>
  );
}
