import { expect, test } from "vitest";
import { stepNameOf } from "./step-name";

test("a step says what it does, and about what", () => {
  expect(stepNameOf("take")).toEqual({ does: "step.does.take", subject: "" });
  expect(stepNameOf("store/volumes/data-db-0")).toEqual({
    does: "step.does.store",
    subject: "volumes/data-db-0",
  });
});

test("rounds are left out", () => {
  expect(stepNameOf("load/volumes/data=2").subject).toBe("volumes/data");
  expect(stepNameOf("commit=3")).toEqual({ does: "step.does.commit", subject: "" });
});

test("a step that nobody knows keeps its name", () => {
  expect(stepNameOf("dance/volumes/data")).toEqual({
    does: undefined,
    subject: "dance/volumes/data",
  });
});
