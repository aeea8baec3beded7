/// Which parts of a version are brought back.
import { Checkbox, MultiSelect, Radio, Textarea } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { heldObjects } from "@/api/contents";
import { Size } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import { pathsOf, withPath } from "./choices";
import classes from "./restore.module.css";
import { StepForm } from "./step-form";
import type { WizardProps } from "./wizard";

const MANIFESTS = "manifests";

export function What(props: WizardProps) {
  const t = useTranslate();
  const { search, choose, go } = props;
  const paths = pathsOf(search);
  const partly = search.paths !== undefined;
  return (
    <StepForm
      back={() => go("where")}
      forward={() => go("check")}
      refusal={partly && paths.length === 0 ? t("restore.part.none") : undefined}
    >
      <Radio.Group
        label={t("restore.what")}
        value={partly ? "part" : "all"}
        onChange={(value) => choose({ paths: value === "all" ? undefined : MANIFESTS })}
      >
        <div className={classes.sources}>
          <Radio value="all" label={t("restore.all")} description={t("restore.all.about")} />
          <Radio value="part" label={t("restore.part")} description={t("restore.part.about")} />
        </div>
      </Radio.Group>
      {partly && <Parts {...props} paths={paths} />}
    </StepForm>
  );
}

function Parts({
  namespace,
  name,
  record,
  search,
  choose,
  paths,
}: WizardProps & { paths: string[] }) {
  const t = useTranslate();
  const { number, sources } = record.facts;
  const place = { namespace, name, number, history: search.history };
  const query = useInfiniteQuery(heldObjects(place));
  const data = sources.filter((one) => one.name !== MANIFESTS);
  const objects = (query.data?.pages ?? [])
    .flatMap((page) => page.items)
    .map((one) => ({
      value: decodeURIComponent(one.exact_path),
      label: `${one.kind} ${one.name}`,
    }));
  const known = new Set([
    MANIFESTS,
    ...data.map((one) => one.name),
    ...objects.map((one) => one.value),
  ]);
  const further = paths.filter((path) => !known.has(path));
  const objectsChosen = paths.filter((path) => objects.some(({ value }) => value === path));
  const all = paths.includes(MANIFESTS);
  const put = (next: readonly string[]) => choose({ paths: next.join("\n") || "\n" });
  return (
    <div className={classes.fields}>
      <fieldset className={classes.group}>
        <legend>{t("version.data")}</legend>
        <div className={classes.sources}>
          {data.map(({ name: source, bytes_read }) => (
            <Checkbox
              key={source}
              label={
                <>
                  {source}{" "}
                  <span className="quiet">
                    <Size bytes={bytes_read} />
                  </span>
                </>
              }
              checked={paths.includes(source)}
              onChange={(event) =>
                choose({ paths: withPath(paths, source, event.currentTarget.checked) || "\n" })
              }
            />
          ))}
        </div>
      </fieldset>
      <Checkbox
        label={t("restore.objects.all")}
        checked={all}
        onChange={(event) =>
          choose({ paths: withPath(paths, MANIFESTS, event.currentTarget.checked) || "\n" })
        }
      />
      {!all && (
        <MultiSelect
          label={t("restore.objects.some")}
          placeholder={objectsChosen.length === 0 ? t("restore.objects.find") : ""}
          data={objects}
          value={objectsChosen}
          onChange={(chosen) =>
            put([...paths.filter((path) => !objectsChosen.includes(path)), ...chosen])
          }
          searchable
          limit={200}
        />
      )}
      <Textarea
        label={t("restore.paths")}
        description={t("restore.paths.about")}
        autosize
        minRows={2}
        defaultValue={further.join("\n")}
        // Not at each letter: the beginning of a path may be a path that is chosen above.
        onBlur={(event) => {
          const lines = event.currentTarget.value.split("\n").map((line) => line.trim());
          put([...paths.filter((path) => known.has(path)), ...lines.filter(Boolean)]);
        }}
      />
    </div>
  );
}
