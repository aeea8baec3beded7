/// A button for what a person may do; what one may not do is there too, and says why not.
import { Button, type ButtonProps, Tooltip } from "@mantine/core";
import { type ReactNode, useId } from "react";

interface ActionProps extends Pick<ButtonProps, "variant" | "color" | "size"> {
  children: ReactNode;
  icon?: ReactNode;
  /// What it does, unless it submits the form around it.
  onClick?: () => void;
  submits?: boolean;
  busy?: boolean;
  /// Why it cannot be done now; nothing where it can.
  refusal?: string | undefined;
}

export function Action(props: ActionProps) {
  const { children, icon, onClick, submits, busy, refusal, ...look } = props;
  const id = useId();
  const button = (
    <Button
      {...look}
      type={submits ? "submit" : "button"}
      leftSection={icon}
      loading={busy ?? false}
      onClick={refusal ? undefined : onClick}
      // Not `disabled`: it could not be reached by keyboard, nor its reason be read then.
      aria-disabled={refusal ? true : undefined}
      data-disabled={Boolean(refusal)}
      aria-describedby={refusal ? id : undefined}
    >
      {children}
    </Button>
  );
  if (!refusal) return button;
  return (
    <>
      <Tooltip label={refusal} events={{ hover: true, focus: true, touch: true }}>
        {button}
      </Tooltip>
      <span id={id} className="unseen">
        {refusal}
      </span>
    </>
  );
}
