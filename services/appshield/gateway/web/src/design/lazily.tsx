/// A part of a page that is loaded when it is first shown. Something stands in for it meanwhile, and
/// says why it is not there as for every answer: it is one.
import { useQuery } from "@tanstack/react-query";
import type { ComponentType } from "react";
import { loaded } from "@/api/parts";
import { Loaded } from "./states";

export interface Part<Props> {
  name: string;
  load: () => Promise<{ default: ComponentType<Props> }>;
}

interface LazilyProps<Props> {
  part: Part<Props>;
  given: Props;
  lines?: number;
}

export function Lazily<Props extends object>({ part, given, lines = 6 }: LazilyProps<Props>) {
  const query = useQuery({
    queryKey: ["part", part.name],
    queryFn: () => loaded(part.load),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    structuralSharing: false,
  });
  return (
    <Loaded query={query} lines={lines}>
      {({ default: Content }) => <Content {...given} />}
    </Loaded>
  );
}
