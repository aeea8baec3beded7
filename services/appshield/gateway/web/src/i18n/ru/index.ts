/// Всё, что говорит интерфейс, по-русски.
import type { Messages } from "../messages";
import { application } from "./application";
import { documents } from "./documents";
import { overview } from "./overview";
import { reports } from "./reports";
import { restore } from "./restore";
import { runs } from "./runs";
import { shell } from "./shell";
import { vaults } from "./vaults";
import { version } from "./version";
import { words } from "./words";

export const ru: Messages = {
  ...words,
  ...shell,
  ...overview,
  ...application,
  ...version,
  ...restore,
  ...runs,
  ...documents,
  ...vaults,
  ...reports,
};
