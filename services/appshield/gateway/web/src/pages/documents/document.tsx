/// Editing a document: one that stands in the cluster, or a new one.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import {
  type DocumentKind,
  type DocumentPlace,
  document as documentQuery,
  NOWHERE,
  proposal,
} from "@/api/documents";
import { isNotFound } from "@/api/problems";
import { Note } from "@/design/note";
import { Page } from "@/design/page";
import { Loaded } from "@/design/states";
import { useTranslate } from "@/i18n/language";
import { Editing } from "./editing";
import { templateOf, textOf } from "./templates";

const KINDS: readonly DocumentKind[] = ["Application", "Policy", "Profile", "Vault"];
const kindOf = (text: string): DocumentKind => KINDS.find((one) => one === text) ?? "Policy";

export function DocumentPage() {
  const params = useParams({ from: "/inside/documents/$kind/$namespace/$name" });
  const { kind: written, namespace, name } = params;
  const kind = kindOf(written);
  const place = useMemo<DocumentPlace>(() => ({ kind, namespace, name }), [kind, namespace, name]);
  const query = useQuery(documentQuery(place));
  const title = namespace === NOWHERE ? name : `${namespace}/${name}`;
  return (
    <Page title={`${kind} ${title}`} about={<About place={place} />}>
      <Loaded query={query} lines={10}>
        {(stored) => (
          <Editing
            key={`${kind} ${title}`}
            kind={kind}
            place={place}
            saved={{ text: textOf(stored.document), etag: stored.etag }}
          />
        )}
      </Loaded>
    </Page>
  );
}

/// Where what the document is about can be seen.
function About({ place: { kind, namespace, name } }: { place: DocumentPlace }) {
  const t = useTranslate();
  switch (kind) {
    case "Application":
      return (
        <Link to="/applications/$namespace/$name" params={{ namespace, name }}>
          {t("document.of")}
        </Link>
      );
    case "Policy":
      return <Link to="/policies">{t("policies.title")}</Link>;
    case "Vault":
      return (
        <Link to="/vaults/$vault" params={{ vault: name }}>
          {t("vaults.name")}
        </Link>
      );
    case "Profile":
      return null;
  }
}

/// A new document, of a template or of what is proposed for a namespace.
export function NewDocumentPage() {
  const t = useTranslate();
  const kind = kindOf(useParams({ from: "/inside/documents/$kind/new" }).kind);
  const { namespace = "" } = useSearch({ from: "/inside/documents/$kind/new" });
  const proposed = kind === "Application" && namespace !== "";
  const query = useQuery({ ...proposal(namespace), enabled: proposed });
  const nothing = proposed && isNotFound(query.error);
  const begin = (text: string) => (
    <Editing kind={kind} place={null} namespace={namespace} saved={{ text, etag: "" }} />
  );
  return (
    <Page
      title={t("document.new", { kind })}
      about={proposed && !nothing ? t("document.proposed") : undefined}
    >
      {nothing && (
        <Note tone="idle" icon="verified" title={t("document.nothing-open", { namespace })}>
          <p>{t("document.nothing-open.next")}</p>
          <p>
            <Link to="/" search={{ q: namespace }} hash="applications">
              {t("document.nothing-open.there", { namespace })}
            </Link>
          </p>
        </Note>
      )}
      {proposed && !nothing ? (
        <Loaded query={query} lines={10}>
          {({ text }) => begin(text)}
        </Loaded>
      ) : (
        begin(templateOf(kind, namespace))
      )}
    </Page>
  );
}
