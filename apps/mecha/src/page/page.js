/*
 * The admin page: functions, entities, state and history, live. Plain modules, no build step, no library. All text enters the page as text
 * (textContent), never as markup: ids, events and names are the users'.
 */

import { eventsPanel } from "./events.js";
import { outboxPanel } from "./outbox.js";
import { coloured, compact, el } from "./json.js";

const pageSize = 50;
/** Wait before the live stream is opened again, ms. */
const reconnectMs = 1_000;
/** Changes that arrive together are shown together, ms. */
const settleMs = 150;
/** Live figures that no event announces (active entities, consumer groups) are asked for this often, ms. */
const statusEveryMs = 3_000;

const byId = (id) => document.getElementById(id);

const view = {
  token: takeToken(),
  status: undefined,
  search: "",
  service: "",
  /** Cursor of each page shown so far; the last one is the current page. */
  cursors: [undefined],
  entities: [],
  next: undefined,
  selected: undefined,
  detail: undefined,
  events: [],
  before: undefined,
  /** Query of the list that is shown. */
  shown: undefined,
};

// ---------- asking

/** The token comes in the fragment, which browsers do not send; it leaves the address bar at once and lives as long as the tab. */
function takeToken() {
  const match = /[#&]token=([\w-]+)/.exec(location.hash);
  if (match) {
    sessionStorage.setItem("token", match[1]);
    history.replaceState(undefined, "", location.pathname);
  }
  return sessionStorage.getItem("token") ?? "";
}

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, method = "GET") {
  const response = await fetch(path, { method, headers: { authorization: `Bearer ${view.token}` } });
  const body = await response.json();
  if (!response.ok) throw new Refused(response.status, body.message);
  return body;
}

/** Runs `work`; what fails is said at the top of the page. */
async function attempt(work) {
  try {
    await work();
    notice();
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 401)
      lock(view.token === "" ? undefined : "The token is not this run's: Mecha makes a new one at each start.");
    else if (error instanceof Refused) notice(error.message);
    else
      notice("Mecha does not answer. It may have ended: start it with `mecha up`; this page goes on by itself when the port is the same.");
    return false;
  }
}

// ---------- building

function notice(text) {
  byId("notice").hidden = text === undefined;
  byId("notice").textContent = text ?? "";
}

function lock(why) {
  byId("main").hidden = true;
  byId("unlock").hidden = false;
  setState("locked", "warn");
  if (why)
    byId("unlock-why").textContent = `${why} Open the address that \`mecha up\` printed, or paste the content of .mecha/admin.token:`;
  byId("unlock-token").focus();
}

function setState(text, mood) {
  const badge = byId("state");
  badge.textContent = text;
  badge.className = `badge ${mood}`;
}

// ---------- status and functions

const moods = { ready: "good", starting: "warn", draining: "warn", waiting: "bad", refused: "bad", stopped: "" };

async function loadStatus() {
  const status = await ask("/v1/status");
  const before = JSON.stringify(view.status?.functions);
  view.status = status;
  byId("unlock").hidden = true;
  byId("main").hidden = false;
  document.title = `${status.project} · Mecha`;
  byId("project").textContent = status.project;
  setState(status.state, moods[status.state]);
  byId("facts").replaceChildren(
    fact("ingress", `${status.ingress.host}:${status.ingress.port}`),
    fact("store", status.store.kind),
    fact("active", String(status.entities.active)),
  );
  if (JSON.stringify(status.functions) !== before) {
    showFunctions(status.functions);
    showServices(status.functions);
  }
}

function fact(name, value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

function showFunctions(functions) {
  const open = new Set([...document.querySelectorAll("#functions details[open]")].map((node) => node.dataset.service));
  byId("functions").replaceChildren(...functions.map((fn) => functionCard(fn, open)));
}

function functionCard(fn, open) {
  const where = [fn.port && `${fn.host}:${fn.port}`, fn.pid && `process ${fn.pid}`, fn.restarts > 0 && `${fn.restarts} restarts`].filter(
    Boolean,
  );
  return el(
    "article",
    { className: "card" },
    el(
      "header",
      {},
      el("strong", {}, fn.name),
      el("span", { className: `badge ${moods[fn.state]}` }, fn.state),
      el("span", { className: "grow" }),
      el("span", { className: "muted mono" }, where.join(" · ")),
    ),
    fn.about ? el("p", { className: "about" }, fn.about) : undefined,
    fn.problem ? el("p", { className: "problem" }, fn.problem) : undefined,
    ...fn.services.map((service) => serviceDetails(service, open.has(service.name))),
  );
}

const kindNames = { eventSourced: "event sourced", value: "value", crdt: "CRDT", action: "action" };

function serviceDetails(service, isOpen) {
  const rows = service.methods.flatMap((method) => [el("dt", {}, method.name), el("dd", {}, ...routesOf(method))]);
  const node = el(
    "details",
    { open: isOpen },
    el(
      "summary",
      {},
      el("span", {}, service.name),
      el("span", { className: "badge" }, kindNames[service.kind]),
      el("span", { className: "muted" }, `${service.methods.length} methods`),
    ),
    el("dl", { className: "methods" }, ...rows),
  );
  node.dataset.service = service.name;
  return node;
}

function routesOf(method) {
  if (method.http.length === 0)
    return [`${method.streamedIn ? "stream " : ""}${method.input} → ${method.streamedOut ? "stream " : ""}${method.output}`];
  return method.http.flatMap((route, i) => {
    const [verb, path] = route.split(" ");
    return [...(i > 0 ? [el("br")] : []), el("span", { className: "verb" }, verb), ` ${path}`];
  });
}

function showServices(functions) {
  const names = functions.flatMap((fn) => fn.services.filter((service) => service.kind !== "action").map((service) => service.name));
  byId("service").replaceChildren(
    el("option", { value: "" }, "All services"),
    ...names.map((name) => el("option", { value: name, selected: name === view.service }, name)),
  );
  byId("service").hidden = names.length < 2;
}

// ---------- entities

async function loadEntities() {
  const query = new URLSearchParams({ limit: String(pageSize) });
  if (view.search) query.set("search", view.search);
  if (view.service) query.set("service", view.service);
  const cursor = view.cursors.at(-1);
  if (cursor) query.set("after", cursor);
  const page = await ask(`/v1/entities?${query}`);
  // What is new stands out only among what was shown before: another search or page is no news.
  const same = view.shown === String(query);
  const known = new Map(same ? view.entities.map((entity) => [keyOf(entity), entity.sequence]) : []);
  view.shown = String(query);
  view.entities = page.entities;
  view.next = page.next;
  showEntities(known);
}

const keyOf = ({ service, id }) => `${service}\n${id}`;

function showEntities(known) {
  const focused = document.activeElement?.dataset?.key;
  const rows = view.entities.map((entity) => el("li", {}, entityRow(entity, known)));
  byId("entities").replaceChildren(...rows);
  if (focused) [...byId("entities").querySelectorAll("button")].find((button) => button.dataset.key === focused)?.focus();
  const first = (view.cursors.length - 1) * pageSize;
  byId("entities-count").textContent = view.entities.length === 0 ? "" : `${first + 1}–${first + view.entities.length}`;
  byId("page-number").textContent = view.next || view.cursors.length > 1 ? `Page ${view.cursors.length}` : "";
  byId("paging").hidden = view.next === undefined && view.cursors.length === 1;
  byId("previous").disabled = view.cursors.length === 1;
  byId("next").disabled = view.next === undefined;
  showEmpty();
}

function entityRow(entity, known) {
  const key = keyOf(entity);
  const changed = known.size > 0 && known.get(key) !== entity.sequence;
  const button = el(
    "button",
    {
      type: "button",
      className: changed ? "changed" : undefined,
      "aria-current": String(view.selected !== undefined && keyOf(view.selected) === key),
      on: { click: () => select(entity) },
    },
    el("span", { className: "id" }, entity.id),
    el("span", { className: "sequence", title: entity.kind === "value" ? "version" : "events" }, `#${entity.sequence}`),
    el("span", { className: "service" }, entity.service),
    el("span", { className: `phase ${entity.live ? "active" : ""}` }, entity.live ? entity.live.phase : "at rest"),
  );
  button.dataset.key = key;
  return button;
}

function showEmpty() {
  const empty = byId("entities-empty");
  empty.hidden = view.entities.length > 0;
  if (!empty.hidden) {
    if (view.search || view.service)
      empty.replaceChildren(
        el("strong", {}, "Nothing matches"),
        el("p", { className: "muted" }, "No stored entity id contains that text. Esc in the search field clears it."),
      );
    else
      empty.replaceChildren(
        el("strong", {}, "Nothing is stored yet"),
        el("p", { className: "muted" }, "Call a method of an entity, and it appears here at once:"),
        el("pre", {}, exampleCall()),
      );
  }
}

/** A line that stores something: the project's own, or one made from the routes there are. */
function exampleCall() {
  const { ingress, functions } = view.status;
  if (view.status.try.length > 0) return view.status.try[0].command;
  const services = functions.flatMap((fn) => fn.services.filter((service) => service.kind !== "action"));
  const routes = services.flatMap((service) => service.methods.flatMap((method) => method.http));
  const post = routes.find((route) => route.startsWith("POST "));
  if (!post) return "mecha functions";
  return `curl http://${ingress.host}:${ingress.port}${post.slice(5).replace(/\{[^}]*\}/g, "demo")} -H 'content-type: application/json' -d '{}'`;
}

// ---------- one entity

async function select(entity) {
  const changed = view.selected === undefined || keyOf(view.selected) !== keyOf(entity);
  view.selected = { service: entity.service, id: entity.id };
  if (changed) {
    view.events = [];
    view.before = undefined;
    history.replaceState(undefined, "", `#/${encodeURIComponent(entity.service)}/${encodeURIComponent(entity.id)}`);
  }
  for (const button of byId("entities").querySelectorAll("button"))
    button.setAttribute("aria-current", String(button.dataset.key === keyOf(entity)));
  if ((await attempt(loadDetail)) && changed) byId("detail").scrollIntoView({ block: "nearest" });
}

function close() {
  view.selected = undefined;
  history.replaceState(undefined, "", location.pathname);
  byId("detail").hidden = true;
  byId("detail-empty").hidden = false;
  for (const button of byId("entities").querySelectorAll("button")) button.setAttribute("aria-current", "false");
}

const pathOf = ({ service, id }) => `/v1/entities/${encodeURIComponent(service)}/${encodeURIComponent(id)}`;

async function loadDetail() {
  const wanted = view.selected;
  if (!wanted) return;
  const of = `service=${encodeURIComponent(wanted.service)}&id=${encodeURIComponent(wanted.id)}`;
  const [detail, page, { timers }] = await Promise.all([
    ask(pathOf(wanted)),
    ask(`${pathOf(wanted)}/events?limit=${pageSize}`),
    ask(`/v1/timers?${of}&limit=${pageSize}`),
  ]);
  if (view.selected !== wanted) return; // another one was chosen meanwhile
  const newest = view.events.at(-1)?.sequence ?? Infinity;
  view.detail = detail;
  showTimers(timers);
  // Older pages that were asked for stay, when they still join the newest one.
  const oldest = page.events[0]?.sequence ?? 0;
  const kept = view.events.filter((event) => event.sequence < oldest);
  const joined = kept.length > 0 && kept.at(-1).sequence === oldest - 1;
  view.events = joined ? [...kept, ...page.events] : page.events;
  if (!joined) view.before = page.before;
  showDetail(newest);
}

function showTimers(timers) {
  byId("timers").hidden = timers.length === 0;
  byId("timers-list").replaceChildren(...timers.map((timer) => fact(timer.name, `${timer.command}, ${whenText(timer)}`)));
}

function whenText({ due, everyMs, cron, timeZone, state, failure }) {
  if (state === "parked") return `parked since it failed: ${failure} (it was due ${localTime(due)})`;

  const rule = everyMs !== undefined ? ` and every ${everyMs / 1_000} s` : cron !== undefined ? ` and by ${cron} (${timeZone})` : "";
  return `${localTime(due)}${rule}${failure === undefined ? "" : `; given up last time: ${failure}`}`;
}

async function loadOlder() {
  const wanted = view.selected;
  const page = await ask(`${pathOf(wanted)}/events?limit=${pageSize}&before=${view.before}`);
  if (view.selected !== wanted) return;
  view.events = [...page.events, ...view.events];
  view.before = page.before;
  showDetail(Infinity);
}

function showDetail(newest) {
  const { detail } = view;
  byId("detail-empty").hidden = true;
  byId("detail").hidden = false;
  byId("detail-title").textContent = detail.id;
  byId("detail-service").textContent = detail.service;
  byId("detail-live").textContent = detail.live ? detail.live.phase : "at rest";
  byId("detail-live").className = `badge ${detail.live ? "good" : ""}`;
  byId("detail-facts").replaceChildren(
    fact({ value: "Version", crdt: "Steps" }[detail.kind] ?? "Events", String(detail.sequence)),
    fact("Kind", detail.crdt?.type ? `${kindNames[detail.kind]}: ${detail.crdt.type}` : kindNames[detail.kind]),
    detail.crdt
      ? fact("Replicas", detail.crdt.replicas.map(({ node, incarnation }) => `${node}/${incarnation.slice(0, 8)}`).join(", ") || "–")
      : fact("Snapshot", detail.kind === "value" ? "–" : detail.snapshot ? `at ${detail.snapshot.sequence}` : "none yet"),
    fact("Persistence id", detail.persistenceId),
  );
  const stored = detail.value ?? detail.snapshot?.payload;
  byId("state-title").textContent = detail.kind === "eventSourced" ? "Newest snapshot" : "Value";
  const value = detail.crdt?.value;
  const shown = value === undefined ? stored && payload(stored) : el("pre", {}, ...coloured(plain(value)));
  byId("detail-state").replaceChildren(shown ?? el("p", { className: "hint" }, noState(detail)));
  byId("history").replaceChildren(...view.events.toReversed().map((event) => eventItem(event, event.sequence > newest)));
  if (detail.kind !== "eventSourced")
    byId("history").replaceChildren(
      el("p", { className: "muted" }, `A ${detail.kind === "crdt" ? "CRDT" : "value entity"} keeps its value, not its history.`),
    );
  byId("older").hidden = view.before === undefined;
}

/** A CRDT's value without the types of what is in it. */
function plain(value) {
  if (Array.isArray(value)) return value.map((one) => (one.key ? { key: plain(one.key), value: plain(one.value) } : plain(one)));
  return typeof value === "object" ? (value.json ?? value.base64) : value;
}

function noState(detail) {
  if (detail.crdt) return detail.crdt.deleted ? "It was deleted, for good." : "Nobody has changed it yet.";
  return detail.kind === "value"
    ? "The value was deleted."
    : "No snapshot yet: the state is what the events below say, applied in order by the function.";
}

function payload({ type, json, base64, problem }) {
  return el(
    "div",
    { className: "payload" },
    el("span", { className: "type mono" }, type),
    el("pre", {}, ...(json === undefined ? [`${base64 ?? ""}\n${problem ?? ""}`] : coloured(json))),
  );
}

function eventItem(event, isNew) {
  const name = event.payload.type.split("/").at(-1).split(".").at(-1);
  const body =
    event.payload.json === undefined ? [event.payload.base64 ?? "", `\n${event.payload.problem ?? ""}`] : compact(event.payload.json);
  return el(
    "li",
    { className: isNew ? "changed" : undefined, value: event.sequence },
    el(
      "div",
      { className: "event-head" },
      el("span", { className: "number" }, `#${event.sequence}`),
      el("strong", { title: event.payload.type }, name),
      el("time", { datetime: event.time, title: event.time }, localTime(event.time)),
    ),
    el(
      "p",
      { className: "cause" },
      "by ",
      el("span", { className: "mono" }, event.cause),
      event.commandId ? ` · command ${event.commandId}` : "",
    ),
    el("pre", {}, ...body),
  );
}

function localTime(iso) {
  const time = new Date(iso);
  const today = new Date().toDateString() === time.toDateString();
  return today ? time.toLocaleTimeString() : time.toLocaleString();
}

// ---------- live

let settling;
/** Shows what changed, once for all changes of a moment. */
function settle(what) {
  settling ??= { functions: false, entities: false, detail: false };
  Object.assign(settling, what);
  clearTimeout(settle.timer);
  settle.timer = setTimeout(() => {
    const todo = settling;
    settling = undefined;
    void attempt(async () => {
      if (todo.functions) await loadStatus();
      if (todo.entities) await loadEntities();
      if (todo.detail) await loadDetail();
      if (todo.entities) await Promise.all([eventing.load(), outbox.load()]);
    });
  }, settleMs);
}

function onEvent(name, data) {
  if (name === "functions") settle({ functions: true });
  if (name !== "changes") return;
  const selected = view.selected && keyOf(view.selected);
  settle({ entities: true, ...(data.more > 0 || data.changes.some((change) => keyOf(change) === selected) ? { detail: true } : {}) });
}

function setLive(on) {
  byId("live").className = on ? "live on" : "live";
  byId("live").lastElementChild.textContent = on ? "live" : "offline";
}

/** Server-sent events by fetch: EventSource cannot send the token. */
async function listen() {
  for (;;) {
    try {
      const response = await fetch("/v1/events", { headers: { authorization: `Bearer ${view.token}` } });
      if (response.status === 401) return lock("The token is not this run's: Mecha makes a new one at each start.");
      if (!response.ok) throw new Error("refused");
      setLive(true);
      settle({ functions: true, entities: true, detail: true }); // whatever was missed
      await readEvents(response.body.getReader());
    } catch {
      // said below
    }
    setLive(false);
    setState("no answer", "bad");
    await new Promise((resolve) => setTimeout(resolve, reconnectMs));
  }
}

async function readEvents(reader) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (name && data) onEvent(name, JSON.parse(data));
    }
  }
}

// ---------- hands

function moveTo(step) {
  const buttons = [...byId("entities").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const target = buttons[at < 0 ? (step > 0 ? 0 : buttons.length - 1) : at + step];
  target?.focus();
  return target !== undefined;
}

function onKey(event) {
  const typing = ["INPUT", "SELECT"].includes(event.target.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/" && !typing) {
    byId("search").focus();
    event.preventDefault();
  } else if (event.key === "Escape") {
    if (typing && byId("search").value) search("");
    else close();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && event.target.tagName !== "SELECT") {
    if (moveTo(event.key === "ArrowDown" ? 1 : -1)) event.preventDefault();
  }
}

function search(text) {
  byId("search").value = text;
  view.search = text.trim();
  view.cursors = [undefined];
  void attempt(loadEntities);
}

byId("search").addEventListener("input", () => {
  clearTimeout(search.timer);
  search.timer = setTimeout(() => search(byId("search").value), settleMs);
});
byId("service").addEventListener("change", () => {
  view.service = byId("service").value;
  view.cursors = [undefined];
  void attempt(loadEntities);
});
byId("next").addEventListener("click", () => {
  view.cursors.push(view.next);
  void attempt(loadEntities);
});
byId("previous").addEventListener("click", () => {
  view.cursors.pop();
  void attempt(loadEntities);
});
byId("older").addEventListener("click", () => void attempt(loadOlder));
byId("close").addEventListener("click", close);
byId("unlock-form").addEventListener("submit", (event) => {
  event.preventDefault();
  view.token = byId("unlock-token").value.trim();
  sessionStorage.setItem("token", view.token);
  void start();
});
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", () => {
  if (location.hash.includes("token=")) location.reload();
  else openFromAddress();
});

function openFromAddress() {
  const match = /^#\/([^/]+)\/([^/]+)$/.exec(location.hash);
  if (match) void select({ service: decodeURIComponent(match[1]), id: decodeURIComponent(match[2]) });
}

const eventing = eventsPanel({ ask, attempt, localTime });
const outbox = outboxPanel({ ask, attempt, localTime });
let listening = false;
async function start() {
  if (view.token === "") return lock();
  const ok = await attempt(async () => {
    await loadStatus();
    await loadEntities();
    await Promise.all([eventing.load(), outbox.load()]);
  });
  if (listening || (!ok && !byId("unlock").hidden)) return;
  listening = true;
  openFromAddress();
  void listen();
  setInterval(() => {
    if (document.visibilityState === "visible" && byId("live").classList.contains("on"))
      void attempt(async () => void (await Promise.all([loadStatus(), eventing.load(), outbox.load()])));
  }, statusEveryMs);
}

void start();
