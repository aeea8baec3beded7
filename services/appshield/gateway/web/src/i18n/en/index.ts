/// Everything that the interface says, in English. Other languages have the same keys.
import { application } from "./application";
import { overview } from "./overview";
import { runs } from "./runs";
import { shell } from "./shell";
import { words } from "./words";

export const en = { ...words, ...shell, ...overview, ...application, ...runs };
