/// Names from a backup as they can be shown: whatever would hide or turn text is written out. Pure.

/// Controls, separators of lines, and everything that changes the direction of text or has no width.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/gu;

export function visible(text: string): string {
  return text.replace(UNSEEN, (letter) => {
    const code = letter.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/// The last part of a path.
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
