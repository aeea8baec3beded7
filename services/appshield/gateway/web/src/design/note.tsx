/// Something that a person has to know before all else on the page.
import type { ReactNode } from "react";
import { Icon, type IconName } from "./icons";
import classes from "./note.module.css";
import type { Tone } from "./status";

interface NoteProps {
  tone: Tone;
  icon: IconName;
  title: string;
  children?: ReactNode;
}

export function Note({ tone, icon, title, children }: NoteProps) {
  return (
    <section className={classes.note} data-tone={tone} aria-label={title}>
      <span className={classes.icon}>
        <Icon name={icon} size={18} />
      </span>
      <div>
        <p className={classes.title}>{title}</p>
        <div className={classes.text}>{children}</div>
      </div>
    </section>
  );
}
