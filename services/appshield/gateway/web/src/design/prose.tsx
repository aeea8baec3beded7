/// A text in which `what stands between backticks` is code, as AppShield writes its advice.

export function Prose({ text }: { text: string }) {
  return text.split("`").map((part, at) =>
    at % 2 === 1 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text have nothing but their place
      <code key={at} className="mono">
        {part}
      </code>
    ) : (
      part
    ),
  );
}
