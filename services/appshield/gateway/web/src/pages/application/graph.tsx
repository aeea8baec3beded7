/// The objects of an application as a picture: who owns whom, who refers to whom. Where they are too
/// many for a picture, those that are alike are one box, with their number.
import { Button } from "@mantine/core";
import { useMemo, useState } from "react";
import type { ApplicationModel, ModelObject } from "@/api/types";
import { Foreign } from "@/design/foreign";
import { ScrollArea } from "@/design/scroll-area";
import { Tag } from "@/design/status";
import { visible } from "@/design/visible";
import { useFormats, useTranslate } from "@/i18n/language";
import { type Box, folded } from "./folding";
import classes from "./graph.module.css";
import { layoutOf, NODE_HEIGHT, NODE_WIDTH, type Placed } from "./layout";

type ObjectBox = Box<ModelObject>;
const NAMED_MAX = 5;

interface GraphProps {
  model: ApplicationModel;
  /// Show the objects of a kind in the list.
  list: (kind: string) => void;
}

export function Graph({ model, list }: GraphProps) {
  const t = useTranslate();
  const [chosen, setChosen] = useState<string | null>(null);
  const { boxes, edges } = useMemo(() => folded(model.objects, model.edges), [model]);
  const layout = useMemo(
    () =>
      layoutOf(
        boxes.map(({ id }) => id),
        edges,
      ),
    [boxes, edges],
  );
  const places = new Map(layout.nodes.map((node) => [node.id, node]));
  const near = new Set(
    edges
      .filter(({ source, target }) => source === chosen || target === chosen)
      .flatMap(({ source, target }) => [source, target]),
  );
  const box = boxes.find(({ id }) => id === chosen);
  return (
    <div>
      {boxes.length < model.objects.length && (
        <p className={classes.folded}>
          {t("objects.folded", { objects: model.objects.length, count: boxes.length })}
        </p>
      )}
      <p className={classes.legend}>
        <span data-relation="owns">{t("objects.owns")}</span>
        <span data-relation="refers">{t("objects.refers")}</span>
      </p>
      <ScrollArea className={classes.scroll} aria-label={t("objects.graph")}>
        <div className={classes.canvas} style={{ width: layout.width, height: layout.height }}>
          <svg width={layout.width} height={layout.height} aria-hidden="true">
            {edges.map(({ source, target, relation }) => (
              <path
                key={`${source} ${target} ${relation}`}
                d={curve(places.get(source), places.get(target))}
                data-relation={relation}
                data-near={source === chosen || target === chosen || undefined}
              />
            ))}
          </svg>
          {boxes.map((one) => (
            <Node
              key={one.id}
              box={one}
              place={places.get(one.id)}
              chosen={one.id === chosen}
              near={near.has(one.id)}
              choose={() => setChosen(one.id === chosen ? null : one.id)}
            />
          ))}
        </div>
      </ScrollArea>
      <div className={classes.why} role="status">
        {box ? (
          <About box={box} list={list} />
        ) : (
          <span className="quiet">{t("objects.choose")}</span>
        )}
      </div>
    </div>
  );
}

/// What the chosen box stands for, and why that belongs to the application.
function About({
  box: { first, objects },
  list,
}: {
  box: ObjectBox;
  list: (kind: string) => void;
}) {
  const t = useTranslate();
  const { kind, name, why, problem, saved } = first;
  if (objects.length > 1) {
    const names = objects.slice(0, NAMED_MAX).map((one) => visible(one.name));
    return (
      <>
        <strong>{t("objects.alike", { count: objects.length, kind })}</strong> {names.join(", ")}
        {objects.length > NAMED_MAX && "…"}{" "}
        <Button variant="default" onClick={() => list(kind)}>
          {t("objects.all", { kind })}
        </Button>
      </>
    );
  }
  return (
    <>
      <strong>
        {kind} {visible(name)}
      </strong>{" "}
      <Foreign text={why} />{" "}
      {problem && (
        <Tag tone="warn">
          <Foreign text={problem} />
        </Tag>
      )}
      {!saved && <Tag>{t("objects.not-saved")}</Tag>}
    </>
  );
}

interface NodeProps {
  box: ObjectBox;
  place: Placed | undefined;
  chosen: boolean;
  near: boolean;
  choose: () => void;
}

function Node({ box: { first, objects }, place, chosen, near, choose }: NodeProps) {
  const t = useTranslate();
  const formats = useFormats();
  if (!place) return null;
  const { kind, component, problem } = first;
  const many = objects.length > 1;
  const name = many ? `× ${formats.number(objects.length)}` : visible(first.name);
  return (
    <button
      type="button"
      className={classes.node}
      style={{ left: place.x, top: place.y, width: NODE_WIDTH, height: NODE_HEIGHT }}
      aria-pressed={chosen}
      data-many={many || undefined}
      data-near={near || undefined}
      data-component={component || undefined}
      data-problem={problem || undefined}
      title={many ? t("objects.alike", { count: objects.length, kind }) : `${kind} ${name}`}
      onClick={choose}
    >
      <span className={classes.kind}>{kind}</span>
      <span className={classes.name}>{name}</span>
    </button>
  );
}

function curve(from: Placed | undefined, to: Placed | undefined): string {
  if (!from || !to) return "";
  const [x1, y1] = [from.x + NODE_WIDTH, from.y + NODE_HEIGHT / 2];
  const [x2, y2] = [to.x, to.y + NODE_HEIGHT / 2];
  const bend = Math.max(32, Math.abs(x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
