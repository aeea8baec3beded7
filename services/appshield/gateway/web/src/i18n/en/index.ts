/// Everything that the interface says, in English. Other languages have the same keys.
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

export const en = {
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
