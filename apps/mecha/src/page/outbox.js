/* Effects and forwards on the admin page that are not delivered: those that are still tried, and those that were given up, with what people may do. */

import { coloured, el } from "./json.js";

/** Messages of each kind shown at first, and added by each "Show more". */
const step = 20;
/** The admin API gives no more at once; who has so many sees the rest when some are settled, or with `mecha outbox list`. */
const most = 500;

const byId = (id) => document.getElementById(id);

/**
 * The panel. `ask(path, method)` asks the admin API; `attempt(work)` says at the top of the page what failed; `localTime` shows a time.
 * Nothing is built anew unless it changed, so that a click is never lost.
 */
export function outboxPanel({ ask, attempt, localTime }) {
  let shown = "";
  let limit = step;
  /** The message whose "Discard" was pressed once. */
  let sure;
  /** The newest load shows what it found. */
  let loads = 0;

  async function load() {
    const mine = ++loads;
    const [dead, waiting] = await Promise.all([
      ask(`/v1/outbox?state=dead&limit=${limit}`),
      ask(`/v1/outbox?state=waiting&limit=${limit}`),
    ]);
    if (mine !== loads) return;
    // One that is on its way for the first time is gone before anybody could read it.
    const late = waiting.messages.filter(({ attempts }) => attempts > 0);
    const messages = [...dead.messages, ...late];
    const isMore = dead.next !== undefined && limit < most;
    const facts = JSON.stringify([messages, dead.next, isMore, sure]);
    if (facts === shown) return;
    shown = facts;
    const focused = document.activeElement?.dataset?.key;
    byId("outbox").hidden = messages.length === 0 && byId("outbox-said").textContent === "";
    byId("outbox-count").textContent = `${dead.messages.length}${dead.next === undefined ? "" : "+"} given up · ${late.length} tried again`;
    byId("messages").replaceChildren(...messages.map(item));
    byId("outbox-foot").hidden = !isMore;
    if (focused) [...byId("messages").querySelectorAll("button")].find((button) => button.dataset.key === focused)?.focus();
  }

  function item(message) {
    const { id, state, source, target, origin, time, attempts, due, failure, payload } = message;
    const from = source === undefined ? origin : `${source.service} ${source.id}`;
    const tries = `${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
    const next = state === "dead" ? "given up" : due === undefined ? "waits for its turn" : `again at ${localTime(due)}`;
    return el(
      "li",
      {},
      el(
        "div",
        { className: "event-head" },
        el("span", { className: "number" }, String(id)),
        el("strong", { title: `${target.service}.${target.command}` }, target.command),
        el("span", { className: `badge ${state === "dead" ? "bad" : "warn"}` }, next),
        el("time", { datetime: time, title: time }, localTime(time)),
      ),
      failure === undefined ? undefined : el("p", { className: "problem" }, failure),
      el("p", { className: "cause" }, `${from} → ${target.service}${target.id === undefined ? "" : ` ${target.id}`} · ${tries}`),
      payload.json === undefined ? undefined : el("pre", {}, ...coloured(payload.json)),
      state === "dead" ? actions(id) : undefined,
    );
  }

  function actions(id) {
    const isSure = sure === id;
    const button = (key, text, className, click) => {
      const node = el("button", { type: "button", className, on: { click } }, text);
      node.dataset.key = `${key} ${id}`;
      return node;
    };
    return el(
      "div",
      { className: "actions" },
      button("retry", "Try again", undefined, () => void settle(id, "POST", `/v1/outbox/${id}/retry`, `Message ${id} is tried again.`)),
      button("discard", isSure ? "Really discard?" : "Discard", isSure ? "bad" : "quiet", () => {
        if (isSure) void settle(id, "DELETE", `/v1/outbox/${id}`, `Message ${id} is discarded.`);
        else {
          sure = id;
          void attempt(load);
        }
      }),
    );
  }

  /** Does something about a message, and says beside the list what came of it. */
  async function settle(id, method, path, done) {
    sure = undefined;
    byId("outbox-said").textContent = `Message ${id}…`;
    const outcome = await ask(path, method).then(
      () => done,
      (error) => error.message,
    );
    shown = "";
    await attempt(load);
    byId("outbox-said").textContent = outcome; // when the list shows it too
  }

  byId("outbox-more").addEventListener("click", () => {
    limit = Math.min(limit + step, most);
    void attempt(load);
  });
  return { load };
}
