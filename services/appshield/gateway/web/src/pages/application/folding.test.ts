import { describe, expect, it } from "vitest";
import { DRAWN_MAX, type Foldable, folded, type Related } from "./folding";

const object = (kind: string, name: string, given: Partial<Foldable> = {}): Foldable => ({
  id: `${kind}/${name}`,
  kind,
  name,
  component: "",
  problem: "",
  saved: true,
  ...given,
});
const many = (count: number, kind: string, given: (at: number) => Partial<Foldable> = () => ({})) =>
  Array.from({ length: count }, (_, at) => object(kind, `${at}`, given(at)));
const refers = (source: Foldable, target: Foldable): Related => ({
  source: source.id,
  target: target.id,
  relation: "refers",
});
const counts = (boxes: readonly { first: Foldable; objects: readonly Foldable[] }[]) =>
  boxes.map(({ first, objects }) => [first.kind, objects.length]);

describe("what is drawn", () => {
  it("is each object where there is room", () => {
    const objects = many(DRAWN_MAX, "ConfigMap");
    expect(folded(objects, []).boxes).toHaveLength(DRAWN_MAX);
  });

  it("is one box for those that belong to the same ones", () => {
    const [web, db] = [object("Deployment", "web"), object("StatefulSet", "db")];
    const [ofWeb, ofDb] = [many(90, "ConfigMap"), many(90, "Secret")];
    const edges = [...ofWeb.map((one) => refers(web, one)), ...ofDb.map((one) => refers(db, one))];
    const { boxes, edges: drawn } = folded([web, db, ...ofWeb, ...ofDb], edges);
    expect(counts(boxes)).toEqual([
      ["Deployment", 1],
      ["StatefulSet", 1],
      ["ConfigMap", 90],
      ["Secret", 90],
    ]);
    expect(drawn).toEqual([
      { source: "Deployment/web", target: "ConfigMap/0", relation: "refers" },
      { source: "StatefulSet/db", target: "Secret/0", relation: "refers" },
    ]);
  });

  it("keeps what has a problem apart", () => {
    const objects = many(500, "Pod", (at) => ({ problem: at === 7 ? "it is gone" : "" }));
    expect(counts(folded(objects, []).boxes)).toEqual([
      ["Pod", 499],
      ["Pod", 1],
    ]);
  });

  it("stays small whatever there is, and says nothing twice", () => {
    const pods = many(5_000, "Pod", (at) => ({ component: `c${at % 900}` }));
    const claims = many(5_000, "PersistentVolumeClaim", (at) => ({ component: `c${at % 900}` }));
    const edges = pods.map((pod, at) => refers(pod, claims[at] ?? pod));
    const found = folded([...pods, ...claims], edges);
    expect(counts(found.boxes)).toEqual([
      ["Pod", 5_000],
      ["PersistentVolumeClaim", 5_000],
    ]);
    expect(found.edges).toHaveLength(1);
  });
});
