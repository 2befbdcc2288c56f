// Keeps an open page as the server would render it now. Without this file every page works; it only stands still.
"use strict";
(() => {
  const main = document.getElementById("main");
  const link = document.getElementById("link");
  const said = document.getElementById("said");
  const LATER = 300; // milliseconds in which several events become one look
  let source = null, later = 0, looking = false, again = false, over = false, tag = "", seen = new Map();

  // What the server rendered, but for what is another in each rendering: keys of forms, and how long ago things were.
  const rendered = (part) => part.innerHTML
    .replace(/name="key" value="[^"]*"/g, "")
    .replace(/(<span class="ago">)[^<]*/g, "$1");
  for (const part of document.querySelectorAll("[data-part]")) seen.set(part.id, rendered(part));
  // What was done is said once, and what a form was answered too: a reload shows the page as it is then.
  const url = new URL(main.dataset.page ?? location.href, location.href);
  url.searchParams.delete("did");
  if (url.href !== location.href) history.replaceState(null, "", url);
  document.querySelector("[data-focus]")?.focus();
  if (!main.dataset.stream) return;

  function tell(text, href) {
    link.hidden = !text;
    link.textContent = text;
    if (href) {
      const a = document.createElement("a");
      a.href = href;
      a.textContent = "Open the page again";
      link.append(" ", a);
    }
  }

  // Somebody is in the middle of something: what they read and type stays, and is said to be old.
  const busy = (part) => "forms" in part.dataset && part.querySelector("details[open]");

  // How long ago things were moves on without disturbing what is read, marked or focused.
  function age(part, fresh) {
    const now = fresh.querySelectorAll(".ago");
    part.querySelectorAll(".ago").forEach((one, number) => { if (now[number]) one.textContent = now[number].textContent; });
  }

  function renew(part, fresh) {
    const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const at = focused && (focused.id || focused.closest("[id]").id);
    part.replaceChildren(...fresh.childNodes);
    for (const id of open) { const one = document.getElementById(id); if (one) one.open = true; }
    if (focused) {
      const place = document.getElementById(at) || part;
      const target = place.matches("details") ? place.querySelector("summary") : place;
      if (!target.matches("a, button, input, select, summary")) target.tabIndex = -1;
      target.focus({ preventScroll: true });
    }
  }

  function announce(part, text) {
    if (!text || text === part.dataset.said) return;
    said.textContent = part.dataset.said = text;
    part.classList.remove("changed");
    void part.offsetWidth; // so that it begins anew
    part.classList.add("changed");
  }

  function show(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const freshMain = fresh.getElementById("main");
    if (!freshMain) throw new Error("another page came");
    let old = false;
    for (const part of document.querySelectorAll("[data-part]")) {
      const one = fresh.getElementById(part.id);
      if (!one) continue;
      const text = rendered(one);
      if (text === seen.get(part.id)) { age(part, one); continue; }
      if (busy(part)) { old = true; continue; }
      seen.set(part.id, text);
      renew(part, one);
      announce(part, one.dataset.said);
    }
    document.title = fresh.title;
    over = !freshMain.dataset.stream;
    if (over) close();
    tell(old ? "It has moved on since you opened this form. What you send is checked against what you saw." : "");
    return !old;
  }

  async function look() {
    if (looking) { again = true; return; }
    looking = true;
    try {
      const asked = tag ? { Accept: "text/html", "If-None-Match": tag } : { Accept: "text/html" };
      const answer = await fetch(location.href, { headers: asked, cache: "no-store" });
      if (answer.redirected) { close(); over = true; tell("You are signed out: what you see is old.", location.href); return; }
      if (answer.status === 304) { tell(""); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      // What was held back comes with the next look: its tag is remembered when all of it is shown.
      tag = show(await answer.text()) ? answer.headers.get("ETag") ?? "" : "";
    } catch {
      tell("Not live: the server does not answer. What you see is old; trying again.");
    } finally {
      looking = false;
      if (again) { again = false; soon(); }
    }
  }

  const soon = () => { clearTimeout(later); later = setTimeout(look, LATER); };

  function close() { source?.close(); source = null; }

  function open() {
    if (source || over || document.hidden) return;
    source = new EventSource(main.dataset.stream);
    source.onopen = soon;
    source.onerror = () => {
      if (source?.readyState === EventSource.CLOSED) close(); // refused, or over: the timer below looks again
      look();
    };
    for (const kind of main.dataset.kinds.split(" ")) source.addEventListener(kind, soon);
  }

  // A hidden page follows nothing: streams are few. What was missed is there as soon as it is seen.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : (open(), soon())));
  main.addEventListener("toggle", (event) => { if (!event.target.open) soon(); }, true); // what was held back may come now
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) { open(); soon(); } });
  setInterval(() => { if (!document.hidden && !over) { open(); look(); } }, 1000 * Number(main.dataset.every));
  open();
})();
