/// Whose runs are meant by what somebody types: `namespace`, or `namespace/name`. Pure.

export interface WantedPlace {
  namespace?: string;
  name?: string;
}

export function placeIn(text: string): WantedPlace {
  const [namespace = "", name = ""] = text.split("/").map((part) => part.trim());
  return { ...(namespace && { namespace }), ...(name && { name }) };
}
