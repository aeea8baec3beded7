/// Всё, что говорит интерфейс, по-русски.
import type { Messages } from "../language";
import { application } from "./application";
import { overview } from "./overview";
import { runs } from "./runs";
import { shell } from "./shell";
import { words } from "./words";

export const ru: Messages = { ...words, ...shell, ...overview, ...application, ...runs };
