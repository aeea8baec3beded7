/// Signing in and out: a proof of who one is becomes a session, a cookie that no script can read.
import { queryOptions } from "@tanstack/react-query";
import { ask, get } from "./client";

export type Proof = { code: string } | { token: string };

/// What the gateway offers to those who are not signed in.
export interface LoginMethods {
  login_link: boolean;
  token: boolean;
  /// The provider's name, and where its browser login begins.
  oidc: { name: string; start: string } | null;
}

/// Why a login at a provider did not succeed, as it stands in the address then.
export const LOGIN_PROBLEMS = [
  "refused",
  "expired",
  "unavailable",
  "too-often",
  "not-accepted",
] as const;
export type LoginProblem = (typeof LOGIN_PROBLEMS)[number];

export const loginMethods = queryOptions({
  queryKey: ["login-methods"],
  queryFn: ({ signal }) => get<LoginMethods>("/login-methods", undefined, signal),
  staleTime: Number.POSITIVE_INFINITY,
});

export async function signIn(proof: Proof): Promise<void> {
  await ask("/session", { method: "POST", body: proof });
}

export async function signOut(): Promise<void> {
  await ask("/session", { method: "DELETE" }).catch(() => undefined);
}
