/// What others have written, in English: Kubernetes, a tool, AppShield's services. It is shown as it
/// is, and says its language, so that it is read aloud as what it is.

import { Prose } from "./prose";
import { visible } from "./visible";

export function Foreign({ text }: { text: string }) {
  return (
    <span lang="en">
      <Prose text={visible(text)} />
    </span>
  );
}
