/// Which version a page is about, and the route that says so.
import type { VersionPlace, VersionRecord } from "@/api/contents";

export const FROM = "/inside/applications/$namespace/$name/versions/$number";

export interface VersionProps {
  place: VersionPlace;
  record: VersionRecord;
}
