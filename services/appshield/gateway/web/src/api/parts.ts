/// Loading parts of the interface itself: where that fails, it is told whether AppShield is there.
import { get } from "./client";
import { OUTDATED, ProblemError } from "./problems";

export async function loaded<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch {
    // Says itself that nothing answers; who answers has another build, which has other parts.
    await get("/login-methods");
    throw new ProblemError({ title: "outdated", status: OUTDATED });
  }
}
