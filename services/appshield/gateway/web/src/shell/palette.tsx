/// Search and go anywhere by keyboard: pages, applications, a run by its id.
import { Modal, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, type ReactNode, useId, useState } from "react";
import { get } from "@/api/client";
import type { ApplicationSummary, Page } from "@/api/types";
import { Icon } from "@/design/icons";
import { HealthStatus } from "@/design/status";
import { useTranslate } from "@/i18n/language";
import { PLACES } from "./navigation";
import classes from "./palette.module.css";

const FOUND_MAX = 8;
const WAIT_MS = 120;
const RUN = /^[a-z]-[0-9a-f]{4,}$/;

interface Entry {
  id: string;
  text: string;
  beside: ReactNode;
  go: () => void;
}

export function Palette({ opened, close }: { opened: boolean; close: () => void }) {
  const t = useTranslate();
  return (
    <Modal.Root opened={opened} onClose={close} size={560} yOffset="12vh">
      <Modal.Overlay />
      <Modal.Content aria-label={t("palette.label")}>
        <Modal.Body p={0}>
          <Search close={close} />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function Search({ close }: { close: () => void }) {
  const t = useTranslate();
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const list = useId();
  const entries = useEntries(text.trim(), close);
  const at = Math.min(chosen, entries.length - 1);

  function pressed(event: KeyboardEvent) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && entries.length > 0) {
      event.preventDefault();
      setChosen((at + step + entries.length) % entries.length);
    }
    if (event.key === "Enter") entries[at]?.go();
  }

  return (
    <>
      <TextInput
        data-autofocus
        size="md"
        variant="unstyled"
        className={classes.input}
        placeholder={t("palette.placeholder")}
        aria-label={t("palette.placeholder")}
        leftSection={<Icon name="search" />}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={pressed}
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={entries[at] ? `${list}-${at}` : undefined}
        autoComplete="off"
      />
      <div role="listbox" id={list} aria-label={t("palette.label")} className={classes.list}>
        {entries.map((entry, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are heard by the input that has the focus
          <div
            key={entry.id}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            className={classes.entry}
            onClick={entry.go}
            onMouseMove={() => setChosen(index)}
          >
            <span className={classes.text}>{entry.text}</span>
            <span className={classes.beside}>{entry.beside}</span>
          </div>
        ))}
      </div>
      <p className={classes.none} role="status">
        {entries.length === 0 && t("palette.none")}
      </p>
    </>
  );
}

function useEntries(text: string, close: () => void): Entry[] {
  const t = useTranslate();
  const navigate = useNavigate();
  const [q] = useDebouncedValue(text, WAIT_MS);
  const { data } = useQuery({
    queryKey: ["palette", q],
    queryFn: ({ signal }) =>
      get<Page<ApplicationSummary>>("/applications", { q, limit: FOUND_MAX }, signal),
    placeholderData: keepPreviousData,
  });

  function leading(id: string, entry: Omit<Entry, "id" | "go">, open: () => Promise<void>): Entry {
    return {
      id,
      ...entry,
      go: () => {
        close();
        void open();
      },
    };
  }

  const runs = RUN.test(text)
    ? [
        leading(text, { text, beside: t("palette.run") }, () =>
          navigate({ to: "/runs/$run", params: { run: text } }),
        ),
      ]
    : [];
  const places = PLACES.filter((place) =>
    t(place.text).toLowerCase().includes(text.toLowerCase()),
  ).map((place) =>
    leading(place.to, { text: t(place.text), beside: t("palette.page") }, () =>
      navigate({ to: place.to }),
    ),
  );
  const applications = (data?.items ?? []).map(({ app_id, namespace, name, health }) =>
    leading(
      app_id,
      {
        text: `${namespace}/${name}`,
        beside: health ? <HealthStatus health={health} plain /> : t("palette.application"),
      },
      () => navigate({ to: "/applications/$namespace/$name", params: { namespace, name } }),
    ),
  );
  return [...runs, ...places, ...applications];
}
