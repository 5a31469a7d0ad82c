// What the console does with script: lists renew themselves, filters act as one types. Without it pages
// renew as a whole, and a button sends the filter.
"use strict";
(() => {
  const renewing = (part) => {
    const every = Number(part.dataset.renew);
    if (!every || part.dataset.renewing) return;
    part.dataset.renewing = "yes";
    const step = () => {
      // Not while nobody looks, and not under somebody's hands.
      const busy = document.hidden || part.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox]), select, textarea");
      if (!busy && document.body.contains(part)) {
        htmx.ajax("GET", location.href, { target: part, select: "#" + part.id, swap: "outerHTML" }).catch(() => {});
        return; // what comes begins anew
      }
      if (document.body.contains(part)) setTimeout(step, every * 1000);
    };
    setTimeout(step, every * 1000);
  };
  const prepare = () => document.querySelectorAll("[data-renew]").forEach(renewing);

  // What somebody has ticked stays ticked, and what was open stays open.
  let kept = { ticked: new Set(), open: new Set() };
  document.addEventListener("htmx:beforeSwap", (e) => {
    const part = e.detail.target;
    kept.ticked = new Set([...part.querySelectorAll("input[type=checkbox]:checked")].map((b) => b.name + "=" + b.value));
    kept.open = new Set([...part.querySelectorAll("details[open][id]")].map((d) => d.id));
  });
  document.addEventListener("htmx:afterSwap", () => {
    document.querySelectorAll("[data-renew] input[type=checkbox]").forEach((b) => { if (kept.ticked.has(b.name + "=" + b.value)) b.checked = true; });
    document.querySelectorAll("[data-renew] details[id]").forEach((d) => { if (kept.open.has(d.id)) d.open = true; });
    prepare();
  });
  // A server that does not answer is asked again.
  for (const failed of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failed, (e) => {
      const part = e.detail.target;
      if (part && part.dataset && part.dataset.renew) { delete part.dataset.renewing; renewing(part); }
    });
  }

  const live = (form) => {
    let waiting;
    const show = () => {
      const query = new URLSearchParams();
      new FormData(form).forEach((value, key) => { if (value && !(key === "sort" && value === "urgency")) query.append(key, value); });
      const text = query.toString();
      history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
      const part = document.querySelector("#list");
      htmx.ajax("GET", location.href, { target: part, select: "#list", swap: "outerHTML" }).catch(() => {});
    };
    form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(show, 250); });
    form.addEventListener("submit", (e) => { e.preventDefault(); clearTimeout(waiting); show(); });
  };

  // A new job is checked beside its form whenever a field has got its value.
  const checked = (form) => {
    let waiting;
    const check = () => {
      const values = Object.fromEntries(new FormData(form));
      values.do = "check";
      const part = document.querySelector("#check");
      part.setAttribute("aria-busy", "true");
      htmx.ajax("POST", form.action, { target: part, select: "#check", swap: "outerHTML", values }).catch(() => {});
    };
    form.addEventListener("change", () => { clearTimeout(waiting); waiting = setTimeout(check, 400); });
  };

  document.documentElement.classList.add("script");
  document.addEventListener("DOMContentLoaded", () => {
    // What was just carried out is said once.
    const here = new URL(location.href);
    if (here.searchParams.has("done")) {
      here.searchParams.delete("done");
      if (!here.pathname.endsWith("/console/job")) here.searchParams.delete("job");
      history.replaceState(null, "", here);
    }
    prepare();
    document.querySelectorAll("form[data-live]").forEach(live);
    // An order to many jobs goes on by itself.
    document.querySelectorAll("form[data-go-on]").forEach((form) => form.requestSubmit());
    document.querySelectorAll("form[data-check]").forEach(checked);
    // "/" goes to the search, as people expect it.
    document.addEventListener("keydown", (e) => {
      const search = document.querySelector("input[type=search]");
      if (e.key !== "/" || !search || e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, select, textarea")) return;
      e.preventDefault();
      search.focus();
    });
  });
})();
