/// The objects of an application as a picture: who owns whom, who refers to whom.
import { useMemo, useState } from "react";
import type { ApplicationModel, ModelObject } from "@/api/types";
import { ScrollArea } from "@/design/scroll-area";
import { Tag } from "@/design/status";
import { useTranslate } from "@/i18n/language";
import classes from "./graph.module.css";
import { layoutOf, NODE_HEIGHT, NODE_WIDTH, type Placed } from "./layout";

export function Graph({ model }: { model: ApplicationModel }) {
  const t = useTranslate();
  const [chosen, setChosen] = useState<string | null>(null);
  const layout = useMemo(
    () =>
      layoutOf(
        model.objects.map(({ id }) => id),
        model.edges,
      ),
    [model],
  );
  const places = new Map(layout.nodes.map((node) => [node.id, node]));
  const near = new Set(
    model.edges
      .filter(({ source, target }) => source === chosen || target === chosen)
      .flatMap(({ source, target }) => [source, target]),
  );
  const object = model.objects.find(({ id }) => id === chosen);
  return (
    <div>
      <p className={classes.legend}>
        <span data-relation="owns">{t("objects.owns")}</span>
        <span data-relation="refers">{t("objects.refers")}</span>
      </p>
      <ScrollArea className={classes.scroll} aria-label={t("objects.graph")}>
        <div className={classes.canvas} style={{ width: layout.width, height: layout.height }}>
          <svg width={layout.width} height={layout.height} aria-hidden="true">
            {model.edges.map(({ source, target, relation }) => (
              <path
                key={`${source} ${target} ${relation}`}
                d={curve(places.get(source), places.get(target))}
                data-relation={relation}
                data-near={source === chosen || target === chosen || undefined}
              />
            ))}
          </svg>
          {model.objects.map((one) => (
            <Node
              key={one.id}
              object={one}
              place={places.get(one.id)}
              chosen={one.id === chosen}
              near={near.has(one.id)}
              choose={() => setChosen(one.id === chosen ? null : one.id)}
            />
          ))}
        </div>
      </ScrollArea>
      <p className={classes.why} role="status">
        {object ? (
          <>
            <strong>
              {object.kind} {object.name}
            </strong>{" "}
            {object.why}
            {object.problem && <Tag tone="warn">{object.problem}</Tag>}
            {!object.saved && <Tag>{t("objects.not-saved")}</Tag>}
          </>
        ) : (
          <span className="quiet">{t("objects.choose")}</span>
        )}
      </p>
    </div>
  );
}

interface NodeProps {
  object: ModelObject;
  place: Placed | undefined;
  chosen: boolean;
  near: boolean;
  choose: () => void;
}

function Node({ object, place, chosen, near, choose }: NodeProps) {
  if (!place) return null;
  return (
    <button
      type="button"
      className={classes.node}
      style={{ left: place.x, top: place.y, width: NODE_WIDTH, height: NODE_HEIGHT }}
      aria-pressed={chosen}
      data-near={near || undefined}
      data-component={object.component || undefined}
      data-problem={object.problem || undefined}
      title={`${object.kind} ${object.name}`}
      onClick={choose}
    >
      <span className={classes.kind}>{object.kind}</span>
      <span className={classes.name}>{object.name}</span>
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
