// The part of the TypeScript client that is written by hand; schema.ts is generated from openapi.yaml.
import createFetchClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type { components, operations, paths } from "./schema.js";

/** The schemas of the contract by their names, such as `Schemas["OrganizationUsage"]`. */
export type Schemas = components["schemas"];

/** Calls by method and path. Each gives `data` or, typed as well, `error`; and the `response` as fetch gave it. */
export type SendmeterClient = Client<paths>;

/** Make a client of the server at `baseUrl`. It sends `key` with each request; only a server's health needs none. */
export function createClient(baseUrl: string, key?: string): SendmeterClient {
  return createFetchClient<paths>({ baseUrl, headers: key === undefined ? {} : { Authorization: `Bearer ${key}` } });
}
