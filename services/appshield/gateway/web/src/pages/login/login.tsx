/// Signing in: by the link that `appshield up` prints, or with a token of the cluster.
import { Button, PasswordInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useRouter, useSearch } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { ask } from "@/api/client";
import { keys } from "@/api/queries";
import { Brand } from "@/design/icons";
import { Prose } from "@/design/prose";
import { Failed, Loading } from "@/design/states";
import { useTranslate } from "@/i18n/language";
import { LOGIN_CODE } from "./code";
import classes from "./login.module.css";

type Proof = { code: string } | { token: string };

export function LoginPage() {
  const t = useTranslate();
  const [token, setToken] = useState("");
  const [code] = useState(() => LOGIN_CODE.exec(window.location.hash)?.[1]);
  const signingIn = useSigningIn();
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
        <p className="quiet">
          <Prose text={t("login.link")} />
        </p>
        <pre className={classes.command}>appshield web</pre>
        {signingIn.error && <Failed error={signingIn.error} />}
        <form onSubmit={submit} className={classes.form}>
          <PasswordInput
            label={t("login.token")}
            description={<Prose text={t("login.token.how")} />}
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
            autoComplete="off"
            size="sm"
          />
          <Button type="submit" size="sm" loading={signingIn.isPending}>
            {t("login.do")}
          </Button>
        </form>
      </div>
    </main>
  );
}

function useSigningIn() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const router = useRouter();
  const { next } = useSearch({ from: "/login" });
  return useMutation({
    mutationFn: prove,
    onSuccess: async () => {
      client.removeQueries({ queryKey: keys.me });
      await navigate({ to: next ?? "/", replace: true, hash: "" });
      await router.invalidate();
    },
  });
}

/// Exchange a proof for a session, which is a cookie that no script can read.
async function prove(proof: Proof): Promise<void> {
  await ask("/session", { method: "POST", body: proof });
}
