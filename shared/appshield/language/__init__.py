"""The language of AppShield, as pure functions: documents in, checked and resolved values out.

- `kinds`, `protection`, `values`: the types that a document is read into; the one source of all
- `reading`: documents from text; `object_reading`: documents from the API server
- `checking`: what types alone cannot say
- `profiles`: how each type of component is saved, shipped as documents; `profiling` fills them in
- `resolving`: the document with every default filled in, and its revision
- `scheduling`: when a schedule is due; `retention`: which versions stay
- `expressions`: conditions in CEL; `matching`: which policies apply; `combining`: what that means
- `advising`: what is legal and probably not meant
- `crds`, `admission`: what is installed in a cluster, made from the types; `crd_upgrades`: what an
  upgrade would lose
- `json_schema`, `reference`: what editors and people read, made from the types
- `revisions`: how each content of a document is kept

No clock, no network, no file but the profiles in this package: callers pass the time and the text.
"""
