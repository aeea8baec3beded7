/// The page's policy lets in only style elements that carry this word, new for each load.

declare global {
  /// Where libraries that make style elements look for it.
  var __webpack_nonce__: string | undefined;
}

export function styleNonce(): string {
  const given = document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content ?? "";
  globalThis.__webpack_nonce__ = given;
  return given;
}
