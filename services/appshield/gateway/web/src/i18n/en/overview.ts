/// Overview.
import type { Message } from "../plural";

export const overview = {
  "overview.title": "Overview",
  "overview.about": {
    one: "{count} application that you may see",
    other: "{count} applications that you may see",
  },
  "overview.health": "Health",
  "overview.promise": "Promise about the newest version (RPO)",
  "attention.title": "Needs attention",
  "attention.none": "Nothing needs attention",
  "attention.none.why":
    "Every application is well, and every promise about its newest version is kept.",
  "attention.refused": "Document refused",
  "attention.promise":
    "A version at least every {promised} is promised; the newest good one is from",
  "applications.title": "Applications",
  "applications.name": "Application",
  "applications.type": "Type",
  "applications.health": "Health",
  "applications.any-health": "Any health",
  "applications.rpo": "RPO",
  "applications.any-rpo": "Any RPO",
  "applications.find": "Name or namespace",
  "applications.last-version": "Newest version",
  "applications.trend": "Size, last versions",
  "applications.trend.of": {
    one: "Size of the newest version: {last}",
    other: "Size of the newest {count} versions: from {first} to {last}",
  },
  "applications.no-version": "none yet",
  "applications.orphaned": "Versions only",
  "applications.paused": "Paused",
  "applications.running": "Run under way",
  "applications.none": "No application yet",
  "applications.none.next": "Apply an Application document, or protect a workload below.",
  "applications.none-such": "No application is like that",
  "applications.all": "Show all",
  "unprotected.title": "Not protected",
  "unprotected.protect": "Protect…",
  "unprotected.data": "Keeps data",
  "unprotected.more": { one: "and {count} more workload", other: "and {count} more workloads" },
  "unprotected.protect-it": "Protect {name}",
  "unprotected.none": "Everything that runs is protected",
  "unprotected.proposal": "Protect {namespace}",
  "unprotected.about":
    "A document for what runs there. Comments say why; change it as you like, or take it as it is.",
  "unprotected.document": "Proposed document",
  "unprotected.copy": "Copy",
  "unprotected.copied": "Copied",
} as const satisfies Record<string, Message>;
