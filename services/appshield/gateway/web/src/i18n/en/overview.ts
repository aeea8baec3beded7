/// Overview.
import type { Message } from "../plural";

export const overview = {
  "overview.title": "Overview",
  "overview.about": {
    one: "{count} application that you may see",
    other: "{count} applications that you may see",
  },
  "overview.orphaned": {
    one: "{count} history of which only versions are left",
    other: "{count} histories of which only versions are left",
  },
  "overview.health": "Health",
  "overview.promise": "Promise about the newest version (RPO)",
  "attention.title": "Needs attention",
  "attention.none": "Nothing needs attention",
  "attention.none.why":
    "Every application is well, and every promise about its newest version is kept.",
  "attention.refused": "Document refused",
  "attention.promise":
    "A version at least every {promised} is promised; the newest good one is {age} old",
  "applications.title": "Applications",
  "applications.name": "Application",
  "applications.type": "Type",
  "applications.health": "Health",
  "applications.any-health": "Any health",
  "applications.rpo": "RPO",
  "applications.any-rpo": "Any RPO",
  "applications.any-criticality": "Any criticality, not only {criticality}",
  "applications.find": "Name or namespace",
  "applications.which": "Which applications",
  "applications.active": "Active",
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
  "applications.none.next": "Apply an Application document, or protect one of the workloads above.",
  "applications.all": "All",
  "unprotected.title": "Not protected",
  "unprotected.protect": "Protect…",
  "unprotected.data": "Keeps data",
  "unprotected.protect-it": "Protect {name}",
  "unprotected.none": "Everything that runs is protected",
  "unprotected.none.why": "Every workload that you may see belongs to an application.",
} as const satisfies Record<string, Message>;
