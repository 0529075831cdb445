// Shows a report that the page hands in: a frame cannot send an API key by itself. It runs in an origin of its own,
// under a policy that lets nothing in a report run.
"use strict";

addEventListener("message", (event) => {
  if (event.source !== parent || typeof event.data !== "string") return;
  const report = new DOMParser().parseFromString(event.data, "text/html");
  for (const script of report.querySelectorAll("script, base, meta[http-equiv]")) script.remove();
  document.documentElement.lang = report.documentElement.lang || "en";
  document.head.replaceChildren(...report.head.childNodes);
  document.body.replaceWith(document.adoptNode(report.body));
});

addEventListener("click", (event) => {
  // Within the report links lead to its chapters; elsewhere the frame must not go.
  const link = event.target.closest?.("a[href]");
  if (link && !link.getAttribute("href").startsWith("#")) event.preventDefault();
});

parent.postMessage("ready", "*");
