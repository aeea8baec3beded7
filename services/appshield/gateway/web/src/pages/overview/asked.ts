/// What the overview asks for first: known from the address alone, so it is asked for while the page
/// itself is still on its way.
import type { QueryClient } from "@tanstack/react-query";
import { applications, counts } from "@/api/queries";

/// What an address of the overview chooses.
export interface OverviewSearch {
  q?: string | undefined;
  state?: string | undefined;
  health?: string | undefined;
  rpo?: string | undefined;
  criticality?: string | undefined;
  sort?: string | undefined;
}

/// The list as the address wants it: what is there, the worst first, where it says nothing.
export function applicationsOf(search: OverviewSearch) {
  const { sort = "health", state = "active", ...wanted } = search;
  return applications({ ...wanted, state: state === "all" ? "" : state, sort });
}

/// Ask ahead; whoever shows the answers says why there are none.
export function askAhead(client: QueryClient, search: OverviewSearch): void {
  void client.prefetchQuery(counts);
  void client.prefetchInfiniteQuery(applicationsOf(search));
}
