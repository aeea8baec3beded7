/// Signing in: at the provider of the company, by the link that `appshield up` prints, or with a token.
import { Button, PasswordInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useRouter, useSearch } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { isSignedOut } from "@/api/problems";
import { keys } from "@/api/queries";
import { LOGIN_PROBLEMS, loginMethods, signIn } from "@/api/session";
import { Brand } from "@/design/icons";
import { Note } from "@/design/note";
import { Prose } from "@/design/prose";
import { Failed, Loading } from "@/design/states";
import { useTranslate } from "@/i18n/language";
import { LOGIN_CODE } from "./code";
import classes from "./login.module.css";

export function LoginPage() {
  const t = useTranslate();
  const [token, setToken] = useState("");
  const [code] = useState(() => LOGIN_CODE.exec(window.location.hash)?.[1]);
  const { next, problem: written } = useSearch({ from: "/login" });
  const problem = LOGIN_PROBLEMS.find((one) => one === written);
  const { data: methods } = useQuery(loginMethods);
  const signingIn = useSigningIn(next);
  const { mutate } = signingIn;

  useEffect(() => {
    document.title = `${t("login.title")} · AppShield`;
  }, [t]);
  useEffect(() => {
    if (code) mutate({ code: decodeURIComponent(code) });
  }, [code, mutate]);

  function submit(event: FormEvent) {
    event.preventDefault();
    if (token.trim()) mutate({ token: token.trim() });
  }

  if (code && !signingIn.error) return <Loading />;
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <Brand size={44} />
        <h1>{t("login.title")}</h1>
        {problem && (
          <Note tone="bad" icon="close" title={t(`login.problem.${problem}`)}>
            <p>{t(`login.problem.${problem}.next`)}</p>
          </Note>
        )}
        {signingIn.error && (
          <NotIn error={signingIn.error} by={byCode(signingIn.variables) ? "code" : "token"} />
        )}
        {methods?.oidc && (
          <Button
            component="a"
            href={`${methods.oidc.start}?to=${encodeURIComponent(next ?? "/")}`}
            size="sm"
          >
            {t("login.oidc", { name: methods.oidc.name })}
          </Button>
        )}
        {methods?.login_link !== false && (
          <div className={classes.way}>
            <p className="quiet">
              <Prose text={t("login.link")} />
            </p>
            <pre className={classes.command}>appshield web</pre>
          </div>
        )}
        <form onSubmit={submit} className={classes.way}>
          <PasswordInput
            label={t("login.token")}
            description={<Prose text={t("login.token.how")} />}
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
            autoComplete="off"
            size="sm"
          />
          <Button
            type="submit"
            size="sm"
            variant={methods?.oidc ? "default" : "filled"}
            loading={signingIn.isPending}
          >
            {t("login.do")}
          </Button>
        </form>
      </div>
    </main>
  );
}

const byCode = (given: object | undefined): boolean => given !== undefined && "code" in given;

/// Who signs in is not told that they are signed out.
function NotIn({ error, by }: { error: Error; by: "code" | "token" }) {
  const t = useTranslate();
  if (!isSignedOut(error)) return <Failed error={error} />;
  return (
    <div role="alert">
      <Note tone="bad" icon="close" title={t(`login.failed.${by}`)}>
        <p>
          <Prose text={t(`login.failed.${by}.next`)} />
        </p>
      </Note>
    </div>
  );
}

function useSigningIn(next: string | undefined) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const router = useRouter();
  return useMutation({
    mutationFn: signIn,
    onSuccess: async () => {
      client.removeQueries({ queryKey: keys.me });
      await navigate({ to: next ?? "/", replace: true, hash: "" });
      await router.invalidate();
    },
  });
}
