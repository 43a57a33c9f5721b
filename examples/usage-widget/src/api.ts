// What the page asks Sendmeter. The types are generated from the contract: `npm run generate`.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type Usage = Schemas["OrganizationUsage"];
export type Limits = Schemas["OrganizationLimits"];
export type Standing = Schemas["CapStanding"];
export type Period = Schemas["UsagePeriod"];
export type Event = Schemas["Event"];
export type Channel = Schemas["Channel"];
export type Costs = "complete" | "known";

/** An answer that is no success; of status 0 where there was none. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly told: Partial<Schemas["ErrorDetails"]> & { trackingId?: string } = {},
    readonly retryAfterSeconds?: number,
  ) {
    super(told.message ?? (status ? `The answer is a ${status} without words.` : "There is no answer."));
  }
}

let key = "";

/** From now on, ask with this API key. */
export function use(apiKey: string): void {
  key = apiKey;
}

export const client = createClient<paths>({ baseUrl: "/account", cache: "no-store" });
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${key}`);
  },
});

export const getUsage = (costs: Costs = "complete"): Promise<Usage> =>
  answer(client.GET("/organization/usage", { params: { query: { costs } } }));

export const getLimits = (): Promise<Limits> => answer(client.GET("/organization/limits"));

/** The billing cycles from the day half a year ago to today. */
export async function getHistory(costs: Costs = "complete"): Promise<Period[]> {
  const today = new Date();
  const start = new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - 5, 1));
  const day = (date: Date): string => date.toISOString().slice(0, 10);
  const query = { startDate: day(start), endDate: day(today), groupBy: "billing" as const, costs };
  return (await answer(client.GET("/organization/usage/history", { params: { query } }))).items;
}

export const getLatestEvents = async (): Promise<Event[]> =>
  (await answer(client.GET("/organization/usage/events", { params: { query: { limit: 6 } } }))).items;

interface Answered<T> {
  data?: T;
  error?: Schemas["ErrorResponse"];
  response: Response;
}

/** Give what was asked for; raise a Problem where the answer is an error, or did not come. */
async function answer<T>(asked: Promise<Answered<T>>): Promise<T> {
  const { data, error, response } = await asked.catch(() => {
    throw new Problem(0, { fix: "Look whether you are online, and try again." });
  });
  if (data !== undefined) return data;
  // What stands between (a proxy, a gateway) answers with bodies of its own.
  const told = error?.error ? { ...error.error, trackingId: error.trackingId } : {};
  throw new Problem(response.status, told, Number(response.headers.get("Retry-After")) || undefined);
}
