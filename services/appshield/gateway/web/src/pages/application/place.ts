/// Which application a page is about, and the route that says so.

export interface Place {
  namespace: string;
  name: string;
  /// Which of several histories of that name; the one that is there now without.
  history?: string | undefined;
}

export const FROM = "/inside/applications/$namespace/$name";
