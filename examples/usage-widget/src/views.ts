// Answers as elements.
import type { Channel, Event, Limits, Period, Standing, Usage } from "./api";
import { amount, bar, CHANNELS, count, day, h, left, minute, moment } from "./dom";
import { nano } from "./money";

const NEAR = 0.8;

/** What was used in the running cycle. `incomplete`: the costs are those that are known, and some are owed. */
export function usageView(usage: Usage, incomplete = false): Node[] {
  const most = Math.max(...Object.values(usage.channelUsages), 1);
  const rows = (Object.keys(CHANNELS) as Channel[]).map((channel) => {
    const sent = usage.channelUsages[channel];
    const number = h("span", { class: "number" }, count(sent));
    return h("li", {}, h("span", {}, CHANNELS[channel]), bar(sent / most), number);
  });
  return [
    h("div", { class: "cards" }, messageCard(usage), costCard(usage, incomplete), cycleCard(usage)),
    h(
      "div",
      { class: "card" },
      h("h3", {}, "By channel"),
      isEmpty(usage)
        ? h("p", { class: "empty" }, "Nothing was sent in this cycle yet.")
        : h("ul", { class: "channels" }, ...rows),
    ),
  ];
}

const isEmpty = (used: Usage | Period): boolean => Object.values(used.channelUsages).every((number) => number === 0);

const messageCard = (usage: Usage): HTMLElement =>
  h(
    "div",
    { class: "card" },
    h("h3", {}, "Messages"),
    h("p", { class: "big" }, count(usage.messageUsage)),
    h("p", { class: "quiet" }, "Email, in-app, web push, push and Slack"),
  );

function costCard(usage: Usage, incomplete: boolean): HTMLElement {
  const mark = incomplete ? "incomplete" : usage.pendingCosts > 0 ? "so far" : "";
  const [costs, are] = usage.pendingCosts === 1 ? ["cost", "is"] : ["costs", "are"];
  const owed = `${count(usage.pendingCosts)} ${costs} of SMS and calls ${are} still to come.`;
  return h(
    "div",
    { class: "card" },
    titled("SMS and calls", mark),
    h("p", { class: "big" }, amount(nano(usage.budgetUsage))),
    h("p", { class: "quiet" }, "SMS ", amount(nano(usage.costSms)), " + calls ", amount(nano(usage.costCall))),
    usage.pendingCosts > 0 && h("p", { class: "pending" }, owed),
  );
}

/** When the running cycle ends, and when it began. */
export function cycleCard(cycle: Pick<Usage, "billingCycleStart" | "billingCycleEnd">): HTMLElement {
  const [start, end] = [Date.parse(cycle.billingCycleStart), Date.parse(cycle.billingCycleEnd)];
  return h(
    "div",
    { class: "card" },
    h("h3", {}, "Billing cycle"),
    h("p", { class: "big" }, left(cycle.billingCycleEnd)),
    h("p", { class: "quiet" }, moment(cycle.billingCycleStart), " to ", moment(cycle.billingCycleEnd)),
    bar((Date.now() - start) / (end - start)),
  );
}

const ENFORCEMENTS: Record<NonNullable<Limits["enforcement"]>, string> = {
  observe: "Caps are looked at only: nothing is refused.",
  block: "A send that asks first is refused where it would pass a cap.",
  lock: "A send that asks first is refused where it would pass a cap. While a cap is reached, usage is locked.",
};

export function limitsView(limits: Limits): Node[] {
  if (limits.standings.length === 0) return [h("p", { class: "empty" }, "No caps are set.")];
  const anew = moment(limits.billingCycleEnd);
  return [
    h("p", { class: "quiet" }, ENFORCEMENTS[limits.enforcement], " Caps begin anew on ", anew, "."),
    h("ul", { class: "caps" }, ...limits.standings.map(capView)),
  ];
}

function capView(standing: Standing): HTMLElement {
  const { cap, limit, held, remaining } = standing;
  // What an earlier cycle got back buys no room in this one.
  const used = standing.used + (standing.returned ?? 0);
  const name = cap === "messageCap" ? "Messages" : cap === "budgetCap" ? "Budget" : CHANNELS[cap];
  const write = (number: number): Node | string => (cap === "budgetCap" ? amount(nano(number)) : count(number));
  const taken = limit > 0 ? (used + held) / limit : 1;
  const [state, words] = used >= limit ? ["reached", "Reached"] : taken >= NEAR ? ["near", "Near the cap"] : ["", ""];
  const range = { "aria-valuemin": 0, "aria-valuemax": limit, "aria-valuenow": Math.min(Math.max(used, 0), limit) };
  const usedBar = bar(limit > 0 ? used / limit : 1);
  const meter = h("div", { class: "meter", role: "meter", "aria-label": name, ...range }, usedBar);
  meter.style.setProperty("--taken", String(Math.min(Math.max(taken, 0), 1)));
  const numbers = h("p", {}, write(used), " of ", write(limit), " used");
  if (held > 0) numbers.append(" · ", write(held), " held");
  numbers.append(" · ", write(remaining), " remaining");
  return h("li", { "data-state": state }, titled(name, words), meter, numbers);
}

export function historyView(periods: Period[], incomplete = false): Node[] {
  // The cycles before the first message are of no interest; the running one is.
  const first = periods.findIndex((period) => !isEmpty(period));
  const shown = periods.slice(first);
  const mark = (): HTMLElement => h("span", { class: "badge" }, incomplete ? "incomplete" : "so far");
  const most = {
    messages: Math.max(...shown.map((period) => period.messageUsage), 1),
    usd: Math.max(...shown.map((period) => period.budgetUsage), 1e-9),
  };
  const rows = shown.map((period) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, day(period.yearMonth)),
      h("td", {}, count(period.messageUsage), bar(period.messageUsage / most.messages)),
      h(
        "td",
        {},
        amount(nano(period.budgetUsage)),
        period.pendingCosts > 0 && mark(),
        bar(period.budgetUsage / most.usd),
      ),
    ),
  );
  const total = shown.reduce((sum, period) => sum + nano(period.budgetUsage), 0n);
  const messages = shown.reduce((sum, period) => sum + period.messageUsage, 0);
  const cost = h("td", {}, amount(total), shown.some((period) => period.pendingCosts > 0) && mark());
  return [
    h(
      "table",
      { class: "history" },
      h("caption", { class: "unseen" }, "Messages, and what SMS and calls cost, by billing cycle"),
      head("Cycle from", "Messages", "SMS and calls"),
      h("tbody", {}, ...rows),
      h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, "Together"), h("td", {}, count(messages)), cost)),
    ),
  ];
}

export function eventsView(events: Event[]): Node[] {
  if (events.length === 0) return [h("p", { class: "empty" }, "No event was recorded yet.")];
  const rows = events.map((event) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, ...whatOf(event)),
      h("td", {}, minute(event.occurredAt)),
      h("td", {}, costOf(event)),
    ),
  );
  return [
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, "The latest events, newest first"),
      head("What", "When (UTC)", "Cost"),
      h("tbody", {}, ...rows),
    ),
  ];
}

function whatOf({ channel, quantity, state }: Event): (Node | string)[] {
  const what = CHANNELS[channel] + (quantity > 1 ? ` ×\u00a0${count(quantity)}` : "");
  return state === "voided" ? [h("s", {}, what), h("span", { class: "badge" }, "voided")] : [what];
}

function costOf({ cost, costPending }: Event): Node | string {
  if (costPending) return "still to come";
  return cost === undefined ? h("span", { class: "quiet" }, "no cost") : amount(nano(cost));
}

const titled = (title: string, mark: string): HTMLElement =>
  h("div", { class: "titled" }, h("h3", {}, title), mark !== "" && h("span", { class: "badge" }, mark));

const head = (...names: string[]): HTMLElement =>
  h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name))));
