"""The pages of the web interface that are looked at, as the seeded gateway has them."""

from seeded_bus import AWAITING_APPROVAL, FAILED, RESTORED, RUNNING, WAITING

VERSION = "/applications/diary/diary/versions/2"
RESTORE = "/applications/diary/diary/restore?version=2"
PAGES = {
    "overview": "/",
    "application": "/applications/shop/shop",
    "application-objects": "/applications/shop/shop?tab=objects",
    "application-policies": "/applications/shop/shop?tab=policies",
    "application-events": "/applications/shop/shop?tab=events",
    "application-degraded": "/applications/bank/ledger",
    "application-paused": "/applications/office/wiki",
    "application-without-versions": "/applications/lab/notebook",
    "runs": "/runs",
    "run-running": f"/runs/{RUNNING}",
    "run-failed": f"/runs/{FAILED}",
    "run-restored": f"/runs/{RESTORED}",
    "run-awaiting-approval": f"/runs/{AWAITING_APPROVAL}",
    "run-waiting": f"/runs/{WAITING}",
    "nothing-there": "/no/such/page",
}
FURTHER_PAGES = {
    "version": (VERSION, "password"),
    "version-files": (f"{VERSION}?tab=files&path=volumes%2Fdata", "today.txt"),
    "version-compare": (f"{VERSION}?tab=compare", "configmap/settings"),
    "version-compare-files": (f"{VERSION}?tab=compare&what=files", "volumes/data/new.txt"),
    "restore-where": (f"{RESTORE}&existing=1&target=diary-restored", "Namespace"),
    "restore-what": (f"{RESTORE}&step=what&paths=volumes%2Fdata", "volumes/data"),
    "restore-no-version": ("/applications/diary/diary/restore", "v2"),
    "policies": ("/policies", "No policy yet"),
    "policy": ("/documents/Policy/-/gold", "Nothing is wrong with it"),
    "document-proposed": ("/documents/Application/new?namespace=legacy", "Proposed"),
    "vaults": ("/vaults", "primary"),
    "vault": ("/vaults/primary", "Deduplication"),
    "reports": ("/reports", "gold"),
    "audit": ("/audit", "The chain is whole"),
}
"""Each page, and something that stands on it when it is complete."""
