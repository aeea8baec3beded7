/// One step of the wizard: what is chosen in it, and at its foot the way back and the way on.
import { Button, type ButtonProps } from "@mantine/core";
import type { FormEvent, ReactNode } from "react";
import { Action } from "@/design/action";
import { useTranslate } from "@/i18n/language";
import classes from "./restore.module.css";

interface StepFormProps {
  children: ReactNode;
  back?: () => void;
  /// Go on; Enter in a field does so, too.
  forward: () => void;
  /// Why one cannot go on; nothing where one can.
  refusal?: string | undefined;
  /// What the button says where it does more than to go on.
  text?: string;
  icon?: ReactNode;
  color?: ButtonProps["color"];
  busy?: boolean;
  /// What else can be done here, beside the button that goes on.
  also?: ReactNode;
}

export function StepForm(props: StepFormProps) {
  const { children, back, forward, refusal, text, icon, color = "tide", busy, also } = props;
  const t = useTranslate();
  function submit(event: FormEvent) {
    event.preventDefault();
    if (!refusal && !busy) forward();
  }
  return (
    <form className={classes.step} onSubmit={submit}>
      {children}
      <div className={classes.foot}>
        {back && (
          <Button variant="default" onClick={back}>
            {t("restore.back")}
          </Button>
        )}
        <div className={classes.forward}>
          {also}
          <Action submits color={color} icon={icon} busy={busy ?? false} refusal={refusal}>
            {text ?? t("restore.next")}
          </Action>
        </div>
      </div>
    </form>
  );
}
