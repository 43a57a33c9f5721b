// The page: a key is asked for once, then each section asks for itself, so that one which fails leaves the others.
import { client, getHistory, getLatestEvents, getLimits, getUsage, type Problem, use } from "./api";
import { byId, h } from "./dom";
import { isChosen, mock } from "./mock";
import { problemPanel, Section } from "./section";
import { cycleCard, eventsView, historyView, limitsView, usageView } from "./views";

const KEPT = "sendmeter-key";

const sections = [
  new Section("usage", {
    ask: getUsage,
    show: usageView,
    async instead({ status }) {
      if (status === 402) return [h("div", { class: "cards" }, cycleCard(await getLimits()))];
      return status === 502 ? usageView(await getUsage("known"), true) : [];
    },
    refused: askForKey,
  }),
  new Section("limits", { ask: getLimits, show: limitsView, refused: askForKey }),
  new Section("history", {
    ask: getHistory,
    show: historyView,
    instead: async ({ status }) => (status === 502 ? historyView(await getHistory("known"), true) : []),
    refused: askForKey,
  }),
  new Section("events", { ask: getLatestEvents, show: eventsView, refused: askForKey }),
];

if (isChosen()) {
  client.use(mock);
  const chosen = h("code", {}, decodeURIComponent(location.search));
  byId("sign-in").before(h("p", { class: "mock" }, "The mock is asked for: ", chosen));
}

byId("refresh").addEventListener("click", load);
byId("forget").addEventListener("click", () => askForKey());
byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEPT, byId<HTMLInputElement>("key").value.trim());
  start();
});
start();

function start(): void {
  const key = sessionStorage.getItem(KEPT);
  if (key === null) return askForKey();
  use(key);
  byId("refused").replaceChildren();
  show("sections");
  load();
}

function load(): void {
  for (const section of sections) void section.load();
}

/** Ask for another key, and say why where the last one was refused. */
function askForKey(problem?: Problem): void {
  sessionStorage.removeItem(KEPT);
  for (const section of sections) section.clear();
  if (problem) byId("refused").replaceChildren(problemPanel(problem));
  show("sign-in");
  const field = byId<HTMLInputElement>("key");
  field.value = "";
  field.focus();
}

function show(which: "sections" | "sign-in"): void {
  byId("sections").hidden = byId("actions").hidden = which !== "sections";
  byId("sign-in").hidden = which !== "sign-in";
}
