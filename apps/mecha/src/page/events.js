/* Events on the admin page: consumer groups, topics, and parked events with what people may do about them. */

import { coloured, el } from "./json.js";

/** Parked events shown at first, and added by each "Show more". */
const parkedStep = 20;
/** The admin API gives no more at once; who has so many parked sees the rest when some are settled, or with `mecha events parked`. */
const parkedMax = 500;

const byId = (id) => document.getElementById(id);

/**
 * The panel. `ask(path, method)` asks the admin API; `attempt(work)` says at the top of the page what failed; `localTime` shows a time.
 * Of what it shows nothing is built anew unless it changed, so that a click is never lost.
 */
export function eventsPanel({ ask, attempt, localTime }) {
  let shown = "";
  let limit = parkedStep;
  /** The parked event whose "Let go" was pressed once. */
  let sure;
  /** The newest load shows what it found; one that was asked for before something was done about an event would show it as it was. */
  let loads = 0;

  async function load() {
    const mine = ++loads;
    const [{ subscriptions }, { topics, retention }, { events, next }] = await Promise.all([
      ask("/v1/subscriptions"),
      ask("/v1/topics"),
      ask(`/v1/parked?limit=${limit}`),
    ]);
    if (mine !== loads) return;
    const isMore = next !== undefined && limit < parkedMax;
    const facts = JSON.stringify([subscriptions, topics, events, next, isMore, sure]);
    if (facts === shown) return;
    shown = facts;
    byId("events").hidden = subscriptions.length + topics.length + events.length === 0;
    byId("events-count").textContent = countText(subscriptions, events, next);
    byId("groups").replaceChildren(...subscriptions.map(groupRow));
    byId("groups-table").hidden = subscriptions.length === 0;
    byId("topics").replaceChildren(...topics.map(topicRow));
    byId("topics-table").hidden = topics.length === 0;
    byId("topics-caption").textContent = `Topics, kept for ${days(retention.maxAgeMs)} and up to ${bytesText(retention.maxBytes)} together`;
    showParked(events, isMore);
  }

  function showParked(events, isMore) {
    const focused = document.activeElement?.dataset?.key;
    byId("parked-section").hidden = events.length === 0 && byId("parked-said").textContent === "";
    byId("parked").replaceChildren(...events.map(parkedItem));
    byId("parked-foot").hidden = !isMore;
    if (focused) [...byId("parked").querySelectorAll("button")].find((button) => button.dataset.key === focused)?.focus();
  }

  function groupRow({ group, source, methods, lag, cursor, sending, connected, retention }) {
    return el(
      "tr",
      {},
      el("td", {}, el("strong", {}, group), el("span", { className: "muted small" }, methods.join(", "))),
      el("td", {}, sourceText(source)),
      el("td", { className: "number" }, lag === undefined ? "–" : String(lag), sending > 0 ? ` (${sending} under way)` : ""),
      el("td", { className: "number" }, cursor === undefined ? "–" : String(cursor)),
      el("td", {}, stateOf(connected, lag)),
      el("td", {}, ...retentionOf(retention)),
    );
  }

  function parkedItem(event) {
    const { id, group, source, attributes, attempts, failure, time, payload } = event;
    const type = attributes["ce-type"] ?? payload.type;
    const button = (key, text, className, click) => {
      const node = el("button", { type: "button", className, on: { click } }, text);
      node.dataset.key = `${key} ${id}`;
      return node;
    };
    const isSure = sure === id;
    return el(
      "li",
      {},
      el(
        "div",
        { className: "event-head" },
        el("span", { className: "number" }, id),
        el("strong", { title: type }, type.split("/").at(-1)),
        el("time", { datetime: time, title: time }, localTime(time)),
      ),
      el("p", { className: "problem" }, failure),
      el(
        "p",
        { className: "cause" },
        `${sourceText(source)} → ${group} · ${attributes["ce-id"] ?? "no id"} of ${attributes["ce-source"] ?? "nobody"} · ${attempts} attempts`,
      ),
      payload.json === undefined ? undefined : el("pre", {}, ...coloured(payload.json)),
      el(
        "div",
        { className: "actions" },
        button("retry", "Deliver again", undefined, () => void settle(id, "POST", `/v1/parked/${id}/retry`, `Event ${id} is delivered.`)),
        button("skip", isSure ? "Really let go?" : "Let go", isSure ? "bad" : "quiet", () => {
          if (isSure) void settle(id, "DELETE", `/v1/parked/${id}`, `Event ${id} is let go.`);
          else {
            sure = id;
            void attempt(load);
          }
        }),
      ),
    );
  }

  /** Does something about a parked event, and says beside the list what came of it. */
  async function settle(id, method, path, done) {
    sure = undefined;
    say(`Event ${id}…`);
    const outcome = await ask(path, method).then(
      () => done,
      (error) => error.message,
    );
    shown = "";
    await attempt(load);
    say(outcome); // when the list shows it too
  }

  function say(text) {
    byId("parked-section").hidden = false;
    byId("parked-said").textContent = text;
  }

  byId("parked-more").addEventListener("click", () => {
    limit = Math.min(limit + parkedStep, parkedMax);
    void attempt(load);
  });
  return { load };
}

function countText(subscriptions, events, next) {
  const groups = `${subscriptions.length} ${subscriptions.length === 1 ? "group" : "groups"}`;
  return events.length === 0 ? groups : `${groups} · ${events.length}${next === undefined ? "" : "+"} parked`;
}

function stateOf(connected, lag) {
  if (!connected) return el("span", { className: "badge bad" }, "waits for its function");
  return el("span", { className: `badge ${lag ? "warn" : "good"}` }, lag ? "behind" : "up to date");
}

/** What a person has to know of a group and what its topic keeps. */
function retentionOf(retention) {
  if (retention === undefined) return [el("span", { className: "muted" }, "keeps everything")];
  const { used, soon, lost, lostTime } = retention;
  const parts = [];
  if (soon) parts.push(el("span", { className: "badge warn" }, `about to lose messages: ${Math.floor(used * 100)} %`));
  if (lost > 0) parts.push(el("span", { className: "badge bad", title: `the last at ${lostTime}` }, `lost ${lost}`));
  return parts.length > 0 ? parts : [el("span", { className: "muted" }, "none lost")];
}

function topicRow({ topic, messages, bytes, oldest, newest }) {
  return el(
    "tr",
    {},
    el("td", {}, el("strong", {}, topic)),
    el("td", { className: "number" }, String(messages)),
    el("td", { className: "number" }, bytesText(bytes)),
    el("td", { title: oldest }, new Date(oldest).toLocaleString()),
    el("td", { title: newest }, new Date(newest).toLocaleString()),
  );
}

function sourceText(source) {
  return source.topic === undefined ? `log ${source.eventLog}` : `topic ${source.topic}`;
}

function bytesText(bytes) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function days(ms) {
  const hours = ms / 3_600_000;
  return hours >= 48 ? `${Math.round(hours / 24)} days` : hours >= 1 ? `${Math.round(hours)} hours` : `${Math.round(hours * 60)} minutes`;
}
