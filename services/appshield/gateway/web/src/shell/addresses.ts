/// What stands behind the `?` of an address: texts only, so that a link shows what somebody saw. Pure.

type Texts<Name extends string> = { [One in Name]?: string };

/// Take only these texts from an address, whatever else is in it.
export function texts<const Name extends string>(names: readonly Name[]) {
  return (search: Record<string, unknown>): Texts<Name> => {
    const found: Texts<Name> = {};
    for (const name of names) {
      const value = search[name];
      if (typeof value === "string" && value) found[name] = value;
    }
    return found;
  };
}

/// Only what is there, as an address has it.
export function given<Name extends string>(
  search: { [One in Name]?: string | undefined },
): Texts<Name> {
  const kept: Texts<Name> = {};
  for (const name in search) {
    const value = search[name];
    if (value) kept[name] = value;
  }
  return kept;
}
