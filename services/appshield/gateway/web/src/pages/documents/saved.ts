/// A document as the server has it.

export interface Saved {
  text: string;
  etag: string;
}
