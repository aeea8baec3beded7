import { describe, expect, it } from "vitest";
import { EventStreamReader } from "./event-stream";

const STREAM =
  'id: 7\nevent: run\ndata: {"run": "b-1",\ndata:  "state": "running"}\n\n: alive\n\nid: 8\n\ndata: x\r\n\r\n';
const EVENTS = [
  { event: "run", data: '{"run": "b-1",\n "state": "running"}' },
  { event: "message", data: "x" },
];

describe("a stream of events", () => {
  it.each([1, 2, 3, 7, 1000])("is the same in pieces of %i characters", (size) => {
    const reader = new EventStreamReader();
    const found = [];
    for (let at = 0; at < STREAM.length; at += size) {
      found.push(...reader.take(STREAM.slice(at, at + size)));
    }
    expect(found).toEqual(EVENTS);
    expect(reader.lastId).toBe("8");
  });
});
