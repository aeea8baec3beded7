/// The language of the page: messages with typed keys, and formats for the person's zone.
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { en } from "./en";
import { type Formats, formatsOf } from "./formats";
import type { MessageKey, Messages } from "./messages";
import { type Values, write } from "./plural";

export type Language = "en" | "ru";
export type Translate = (key: MessageKey, values?: Values) => string;

export const LANGUAGES: Readonly<Record<Language, string>> = { en: "English", ru: "Русский" };

interface Chosen {
  language: Language;
  choose: (language: Language) => void;
  t: Translate;
  formats: Formats;
}

const STORED = "appshield.language";
const Context = createContext<Chosen | null>(null);

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(preferred);
  const [messages, setMessages] = useState<Messages | null>(language === "en" ? en : null);

  useEffect(() => {
    let wanted = true;
    void messagesOf(language).then((found) => {
      if (!wanted) return;
      document.documentElement.lang = language;
      setMessages(found);
    });
    return () => {
      wanted = false;
    };
  }, [language]);

  const chosen = useMemo<Chosen | null>(() => {
    if (messages === null) return null;
    return {
      language,
      choose: (next) => {
        remember(next);
        setLanguage(next);
      },
      t: (key, values = {}) => write(messages[key], values, language),
      formats: formatsOf(localeOf(language)),
    };
  }, [language, messages]);

  return chosen && <Context.Provider value={chosen}>{children}</Context.Provider>;
}

export function useLanguage(): Chosen {
  const chosen = useContext(Context);
  if (chosen === null) throw new Error("no LanguageProvider above");
  return chosen;
}

export const useTranslate = (): Translate => useLanguage().t;
export const useFormats = (): Formats => useLanguage().formats;

async function messagesOf(language: Language): Promise<Messages> {
  return language === "en" ? en : (await import("./ru")).ru;
}

/// The browser knows the country, too: it decides how dates look.
function localeOf(language: Language): string {
  return navigator.languages.find((one) => one.startsWith(language)) ?? language;
}

function preferred(): Language {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(STORED);
  } catch {
    // Storage is forbidden: the browser's language counts.
  }
  if (stored === "en" || stored === "ru") return stored;
  return navigator.languages.find((one) => /^(en|ru)\b/.test(one))?.startsWith("ru") ? "ru" : "en";
}

function remember(language: Language): void {
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // It holds for this visit only then.
  }
}
