/// The only way to the REST API: JSON in and out, errors as `ProblemError`, never a redirect. Nothing
/// else in the interface sends a request or knows where the API is.
import { ProblemError, problemOf, UNREACHABLE } from "./problems";

const BASE = "/api/v1";

/// The browsable description of the API, for people.
export const DESCRIPTION = `${BASE}/docs`;

type QueryValue = string | number | boolean | undefined | null | readonly string[];
export type Query = Readonly<Record<string, QueryValue>>;

export interface Ask {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: Query;
  /// Sent as JSON; a string is sent as it is, as YAML.
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface Answer<T> {
  data: T;
  etag: string | null;
  location: string | null;
}

export async function ask<T>(path: string, options: Ask = {}): Promise<Answer<T>> {
  const response = await send(path, options);
  if (!response.ok) throw await problemOf(response);
  const text = await response.text();
  return {
    data: (text ? JSON.parse(text) : undefined) as T,
    etag: response.headers.get("etag"),
    location: response.headers.get("location"),
  };
}

export async function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  const options: Ask = { ...(query && { query }), ...(signal && { signal }) };
  return (await ask<T>(path, options)).data;
}

/// A stream of events, from behind the last one that is known.
export async function events(lastId: string, signal: AbortSignal): Promise<Response> {
  const headers = { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) };
  const response = await send("/events", { headers, signal });
  if (!response.ok) throw await problemOf(response);
  return response;
}

/// A command: asking again with the same key is asking once, also when an answer was lost.
export async function command<T>(
  path: string,
  body: unknown = {},
  method: Ask["method"] = "POST",
  key: string = crypto.randomUUID(),
): Promise<T> {
  return (await ask<T>(path, { method, body, headers: { "Idempotency-Key": key } })).data;
}

export function address(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) params.append(name, String(one));
  }
  const text = params.toString();
  return `${BASE}${path}${text && (path.includes("?") ? "&" : "?")}${text}`;
}

/// Names in paths come from the cluster; each is one segment, whatever it holds.
export function path(strings: TemplateStringsArray, ...names: (string | number)[]): string {
  return String.raw({ raw: strings }, ...names.map((name) => encodeURIComponent(name)));
}

async function send(where: string, { method = "GET", query, body, headers, signal }: Ask) {
  const sent = new Headers({ Accept: "application/json", ...headers });
  // A page of another site cannot set this header, so its requests are not ours.
  if (method !== "GET") sent.set("X-AppShield", "1");
  if (body !== undefined) {
    sent.set("Content-Type", typeof body === "string" ? "application/yaml" : "application/json");
  }
  try {
    return await fetch(address(where, query), {
      method,
      headers: sent,
      credentials: "same-origin",
      redirect: "error",
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ProblemError({ title: "unreachable", status: UNREACHABLE });
  }
}
