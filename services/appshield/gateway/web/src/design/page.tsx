/// What every page is made of: a head with its actions, panels, lists of facts.
import { type ReactNode, useEffect, useId } from "react";
import classes from "./page.module.css";

interface PageProps {
  title: string;
  /// What stands before the title, such as a status.
  before?: ReactNode;
  /// One quiet line below the title.
  about?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, before, about, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · AppShield`;
  }, [title]);
  return (
    <div className={classes.page}>
      <header className={classes.head}>
        <div className={classes.heading}>
          <h1 tabIndex={-1} id="title">
            {title}
          </h1>
          {before}
          {about && <p className={classes.about}>{about}</p>}
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}

interface PanelProps {
  title: ReactNode;
  /// How many there are, beside the title.
  count?: string;
  actions?: ReactNode;
  /// Without a frame around, for tables and pictures that fill it.
  flush?: boolean;
  children: ReactNode;
}

export function Panel({ title, count, actions, flush, children }: PanelProps) {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={id}>
      <div className={classes.panelHead}>
        <h2 id={id}>
          {title}
          {count && <span className={classes.count}>{count}</span>}
        </h2>
        {actions && <div className={classes.actions}>{actions}</div>}
      </div>
      <div className={flush ? classes.flush : classes.body}>{children}</div>
    </section>
  );
}

export function Facts({ children }: { children: ReactNode }) {
  return <dl className={classes.facts}>{children}</dl>;
}

/// A named value; nothing at all where there is no value.
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  if (!children) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/// Puts things beside each other where there is room, below each other where there is none.
export function Columns({ children }: { children: ReactNode }) {
  return <div className={classes.columns}>{children}</div>;
}

export function Row({ children, spread }: { children: ReactNode; spread?: boolean }) {
  return (
    <div className={classes.row} data-spread={spread || undefined}>
      {children}
    </div>
  );
}
