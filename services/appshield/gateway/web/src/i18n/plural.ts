/// Texts with values in them, and the forms that a number asks for. Pure.

export type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };
export type Message = string | Forms;
export type Values = Readonly<Record<string, string | number>>;

/// Write a message: `{name}` becomes a value; forms are chosen by the value called `count`.
export function write(message: Message, values: Values, locale: string): string {
  const text = typeof message === "string" ? message : formOf(message, values.count, locale);
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? numberFormat(locale).format(value) : value;
  });
}

function formOf(forms: Forms, count: string | number | undefined, locale: string): string {
  const rule = pluralRules(locale).select(Number(count ?? 0));
  return forms[rule] ?? forms.other;
}

const rules = new Map<string, Intl.PluralRules>();
const numbers = new Map<string, Intl.NumberFormat>();

function pluralRules(locale: string): Intl.PluralRules {
  return remembered(rules, locale, () => new Intl.PluralRules(locale));
}

function numberFormat(locale: string): Intl.NumberFormat {
  return remembered(numbers, locale, () => new Intl.NumberFormat(locale));
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
}
