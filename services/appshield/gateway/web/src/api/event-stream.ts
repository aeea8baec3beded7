/// Reads server-sent events from chunks of text, as the HTML standard says. Pure.

export interface ServerEvent {
  event: string;
  data: string;
}

export class EventStreamReader {
  /// Names the last moment that was told whole: a stream that is cut goes on behind it.
  lastId: string;
  private rest = "";
  private id: string;
  private event = "";
  private data: string[] = [];

  constructor(lastId = "") {
    this.lastId = lastId;
    this.id = lastId;
  }

  /// Take what has arrived; return the events that are whole now.
  take(chunk: string): ServerEvent[] {
    const text = this.rest + chunk;
    // A lone carriage return at the end may be the first half of a line end.
    const whole = text.endsWith("\r") ? text.slice(0, -1) : text;
    const lines = whole.split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? "") + text.slice(whole.length);
    return lines.map((line) => this.line(line)).filter((event) => event !== undefined);
  }

  private line(line: string): ServerEvent | undefined {
    if (line === "") return this.dispatched();
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === "id") this.id = value;
    else if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    return undefined;
  }

  private dispatched(): ServerEvent | undefined {
    const { event, data } = this;
    this.lastId = this.id;
    this.event = "";
    this.data = [];
    if (data.length === 0) return undefined;
    return { event: event || "message", data: data.join("\n") };
  }
}
