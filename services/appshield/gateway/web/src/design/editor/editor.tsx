/// An editor of documents: completes, explains, and shows what is wrong at its line.
///
/// It is large, so pages load it when somebody edits. Tab leaves it, as everywhere on the page.
import { autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { EditorState, type Text } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import type { Finding, Schema } from "@/api/documents";
import { styleNonce } from "@/shell/style-nonce";
import { completing, explaining } from "./completing";

export interface Marked extends Finding {
  severity: "error" | "warning";
}

interface EditorProps {
  text: string;
  onChange: (text: string) => void;
  label: string;
  schema: Schema | undefined;
  marks: readonly Marked[];
}

export default function Editor({ text, onChange, label, schema, marks }: EditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const changed = useRef(onChange);
  const known = useRef(schema);
  const first = useRef(text);
  changed.current = onChange;
  known.current = schema;

  useEffect(() => {
    const parent = place.current;
    if (!parent) return;
    const made = new EditorView({
      parent,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          EditorView.cspNonce.of(styleNonce()),
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) changed.current(update.state.doc.toString());
          }),
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          EditorView.lineWrapping,
          indentUnit.of("  "),
          yaml(),
          syntaxHighlighting(COLOURS),
          autocompletion({ override: [completing(() => known.current)], icons: false }),
          explaining(() => known.current),
          lintGutter(),
          keymap.of([...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
          LOOK,
        ],
      }),
    });
    view.current = made;
    return () => {
      view.current = null;
      made.destroy();
    };
  }, [label]);

  useEffect(() => {
    const shown = view.current;
    if (!shown || shown.state.doc.toString() === text) return;
    shown.dispatch({ changes: { from: 0, to: shown.state.doc.length, insert: text } });
  }, [text]);

  useEffect(() => {
    const shown = view.current;
    if (!shown) return;
    const found = marks.map((mark) => diagnosticOf(shown.state.doc, mark));
    shown.dispatch(setDiagnostics(shown.state, found));
  }, [marks]);

  return <div ref={place} />;
}

function diagnosticOf(
  document: Text,
  { line, column, field, wrong, right, severity }: Marked,
): Diagnostic {
  const at = document.line(Math.min(Math.max(line, 1), document.lines));
  const from = Math.min(at.from + Math.max(column - 1, 0), at.to);
  const to = Math.max(at.to, from);
  return { from, to, severity, message: `${field}: ${wrong}; ${right}` };
}

const COLOURS = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: "var(--active)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--text-quiet)", fontStyle: "italic" },
]);

const LOOK = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--text)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", minHeight: "380px" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": {
    backgroundColor: "var(--raised)",
    color: "var(--text-quiet)",
    borderRight: "1px solid var(--line)",
  },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--raised) 60%, transparent)" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": {
    backgroundColor: "var(--accent-soft) !important",
  },
  ".cm-tooltip": {
    backgroundColor: "var(--surface)",
    color: "var(--text)",
    border: "1px solid var(--line-strong)",
    borderRadius: "6px",
  },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    backgroundColor: "var(--accent-soft)",
    color: "var(--text)",
  },
  ".cm-completionDetail": { color: "var(--text-quiet)", fontStyle: "normal" },
  ".cm-explanation": { maxWidth: "420px", padding: "8px 12px", fontSize: "13px" },
  ".cm-explanation span": { color: "var(--text-quiet)" },
  // The pictures that it would draw are inline ones, which the page's policy forbids.
  ".cm-lint-marker": { width: "10px", height: "10px", margin: "5px 2px", borderRadius: "50%" },
  ".cm-lint-marker-error": { content: "''", backgroundColor: "var(--bad)" },
  ".cm-lint-marker-warning": { content: "''", backgroundColor: "var(--warn)" },
  ".cm-lintRange-error, .cm-lintRange-warning": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--bad)",
  },
  ".cm-lintRange-warning": { textDecorationColor: "var(--warn)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warn)" },
});
