// Elements, and the words that all of the page shares.
import type { Channel } from "./api";
import { dollars } from "./money";

type Child = Node | string | false | undefined;

/** Make an element. Texts are texts: what an answer says is never read as HTML. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, string | number>,
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children.filter((child) => child !== false && child !== undefined));
  return made;
}

export function byId<Type extends HTMLElement = HTMLElement>(id: string): Type {
  return document.getElementById(id) as Type;
}

/** A bar of a share between 0 and 1. It says nothing that the number beside it does not. */
export function bar(share: number): HTMLElement {
  const made = h("span", { class: "bar", "aria-hidden": "true" });
  made.style.setProperty("--share", String(Math.min(Math.max(share, 0), 1)));
  return made;
}

/** An amount with all of its digits; those after the cents are small. */
export function amount(nanoUsd: bigint): HTMLElement {
  const text = dollars(nanoUsd);
  const cents = text.indexOf(".") + 3;
  return h("span", { class: "amount" }, text.slice(0, cents), h("span", { class: "rest" }, text.slice(cents)));
}

export const count = (number: number): string => number.toLocaleString("en");

export const CHANNELS: Record<Channel, string> = {
  EMAIL: "Email",
  INAPP_WEB: "In-app",
  WEB_PUSH: "Web push",
  PUSH: "Push",
  SLACK: "Slack",
  SMS: "SMS",
  CALL: "Calls",
};

const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const MINUTE = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  timeZone: "UTC",
});

/** A moment in UTC; a midnight by its day alone. */
export function moment(instant: string): HTMLElement {
  const date = new Date(instant);
  const isMidnight = date.getTime() % 86_400_000 === 0;
  return h("time", { datetime: instant }, isMidnight ? DAY.format(date) : `${MOMENT.format(date)} UTC`);
}

/** A day of the calendar, wherever that is. */
export const day = (date: string): HTMLElement => h("time", { datetime: date }, DAY.format(new Date(date)));

/** The day, hour and minute of a moment of late, in UTC. */
export const minute = (instant: string): HTMLElement =>
  h("time", { datetime: instant }, MINUTE.format(new Date(instant)));

/** How long it is until then, in whole days, or in hours on the last two. */
export function left(instant: string): string {
  const hours = Math.max(0, Date.parse(instant) - Date.now()) / 3_600_000;
  const [number, unit] = hours < 48 ? [Math.ceil(hours), "hour"] : [Math.ceil(hours / 24), "day"];
  return `${number} ${unit}${number === 1 ? "" : "s"} left`;
}
