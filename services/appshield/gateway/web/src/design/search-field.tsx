/// A field whose text stands in the address: what is typed is looked for, what the address says is shown.
import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { type KeyboardEvent, useState } from "react";
import { Icon } from "./icons";

const WAIT_MS = 250;

interface SearchFieldProps {
  label: string;
  value: string;
  find: (text: string) => void;
  width: number;
  /// Only the whole word is looked for: when Enter is pressed or the field is left.
  whole?: boolean;
}

export function SearchField({ label, value, find, width, whole = false }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);
  const [asked, setAsked] = useState(value);
  // The address has changed, and not because of what was typed here.
  if (value !== known) {
    setKnown(value);
    if (value !== asked) {
      setAsked(value);
      setText(value);
    }
  }
  function ask(wanted: string) {
    setAsked(wanted);
    if (wanted !== value) find(wanted);
  }
  const askSoon = useDebouncedCallback(ask, WAIT_MS);
  function typed(next: string) {
    setText(next);
    if (!whole) askSoon(next);
  }
  return (
    <TextInput
      aria-label={label}
      placeholder={label}
      leftSection={<Icon name="search" size={14} />}
      value={text}
      onChange={(event) => typed(event.currentTarget.value)}
      onKeyDown={(event: KeyboardEvent) => event.key === "Enter" && ask(text)}
      onBlur={() => ask(text)}
      w={width}
    />
  );
}
