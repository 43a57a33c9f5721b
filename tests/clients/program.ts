// Asks a running server for what there is and for each documented error, and prints what came.
import { createClient, type Schemas, type SendmeterClient } from "sendmeter-client";

/** Servers and keys in the states that lead to each error. */
type Given = {
  url: string;
  key: string;
  urls: { busy: string; unavailable: string; broken: string };
  keys: { locked: string; scopeless: string; conflicted: string; owed: string; broken: string };
};

const given = JSON.parse(process.argv[2] ?? "") as Given;
const client = createClient(given.url, given.key);
const another = (key: string): SendmeterClient => createClient(given.url, key);
const events = "/organization/usage/events" as const;
const holds = "/organization/usage/holds" as const;
const days = { startDate: "2026-11-01", endDate: "2026-11-30" } as const;

function must<Data>(answer: { data?: Data; error?: Schemas["ErrorResponse"] }): NonNullable<Data> {
  if (answer.error) throw new Error(`${answer.error.error.code}: ${answer.error.error.message}`);
  if (answer.data == null) throw new Error("an answer without a body");
  return answer.data;
}

async function used() {
  const batch: Schemas["EventBatch"] = {
    events: [
      { id: "mail", channel: "EMAIL", quantity: 2 },
      { id: "sms", channel: "SMS", cost: "0.0109" },
    ],
  };
  const recorded = must(await client.POST(events, { body: batch }));
  const held = must(
    await client.POST(holds, { body: { id: "campaign", channel: "SMS", quantity: 3, estimatedCost: "0.05" } }),
  );
  const path = { holdId: "campaign" };
  const settled = must(
    await client.POST("/organization/usage/holds/{holdId}/settle", { params: { path }, body: { cost: "0.04" } }),
  );
  // The types do not tie a media type to its body, and TypeScript takes no object for an attribute of CloudEvents.
  const cloudEvent = { specversion: "1.0", id: "ce", source: "shop", type: "sent", data: { channel: "PUSH" } };
  const headers = { "Content-Type": "application/cloudevents+json" };
  must(await client.POST(events, { headers, body: cloudEvent as Schemas["CloudEvent"] }));
  const usage = must(await client.GET("/organization/usage"));
  const query = { ...days, groupBy: "day" } as const;
  const history = must(await client.GET("/organization/usage/history", { params: { query } }));
  return {
    accepted: recorded.accepted,
    outcomes: recorded.events.map((event) => event.outcome),
    states: [held.state, settled.state],
    event: settled.event?.id,
    messages: usage.messageUsage,
    sms: usage.channelUsages.SMS,
    budget: usage.budgetUsage,
    days: history.items.length,
    ofHistory: history.items.reduce((sum, day) => sum + day.messageUsage, 0),
    text: must(await client.GET("/organization/limits", { parseAs: "text" })).startsWith("{"),
  };
}

type Refusal = { error?: Schemas["ErrorResponse"]; response: Response };

const refusals: Record<number, () => Promise<Refusal>> = {
  400: () => client.GET(events, { params: { query: { cursor: "forged" } } }),
  401: () => createClient(given.url).GET("/organization/usage"),
  402: () => another(given.keys.locked).GET("/organization/usage"),
  403: () => another(given.keys.scopeless).GET(events),
  404: () => client.GET("/organization/usage/holds/{holdId}", { params: { path: { holdId: "nowhere" } } }),
  409: () =>
    another(given.keys.conflicted).POST("/organization/usage/holds/{holdId}/release", {
      params: { path: { holdId: "held" } },
    }),
  413: () =>
    client.POST("/organization/usage/events/{eventId}/void", {
      params: { path: { eventId: "sms" } },
      body: { reason: "x".repeat(1_048_577) },
    }),
  415: () => client.PUT("/organization/limits", { headers: { "Content-Type": "text/plain" }, body: { messageCap: 1 } }),
  429: () => createClient(given.urls.busy, given.key).POST(holds, { body: { id: "late", channel: "PUSH" } }),
  500: () => createClient(given.urls.broken, given.keys.broken).GET("/organization/usage"),
  502: () => another(given.keys.owed).GET("/organization/usage"),
  503: () => createClient(given.urls.unavailable, given.key).GET("/organization/limits"),
};

async function refused() {
  const codes: Record<number, Schemas["ErrorCode"] | undefined> = {};
  for (const ask of Object.values(refusals)) {
    const { error, response } = await ask();
    if (error?.trackingId !== response.headers.get("X-Tracking-Id")) throw new Error("an error of another request");
    codes[response.status] = error?.error.code;
  }
  return codes;
}

console.log(JSON.stringify({ used: await used(), refused: await refused() }));
