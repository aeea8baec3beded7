/// Which messages there are: those that English has; every other language has them, too.
import type { en } from "./en";
import type { Message } from "./plural";

export type MessageKey = keyof typeof en;
export type Messages = Readonly<Record<MessageKey, Message>>;
