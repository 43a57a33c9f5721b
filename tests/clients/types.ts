// What the compiler must know, and what it must refuse. It is compiled and never run.
import { createClient, type operations, type Schemas } from "sendmeter-client";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Success = 200 | 201 | 204;
type Body<Answer> = Answer extends { content: { "application/json": infer Found } } ? Found : "no body";
type Answers<Operation extends keyof operations> = operations[Operation]["responses"];
type ErrorsOf<Operation extends keyof operations> = {
  [Status in Exclude<keyof Answers<Operation>, Success>]: Body<Answers<Operation>[Status]>;
}[Exclude<keyof Answers<Operation>, Success>];

/** The bodies of all errors of all operations: there is one. */
type Errors = { [Operation in keyof operations]: ErrorsOf<Operation> }[keyof operations];
export const everyErrorIsTyped: Same<Errors, Schemas["ErrorResponse"]> = true;

export async function misused() {
  const client = createClient("http://127.0.0.1", "key");
  const { data, error } = await client.GET("/organization/usage");
  // @ts-expect-error an answer may be an error, and then there is no data
  data.messageUsage;
  if (error) {
    // @ts-expect-error a misspelt code
    if (error.error.code === "usage_limit_exceded") return;
    // @ts-expect-error the code is a part of `error`
    return error.code;
  }
  // @ts-expect-error a misspelt field
  data.messageUsages;
  // @ts-expect-error a count is no text
  data.messageUsage.trim();
  // @ts-expect-error a path that is not there
  await client.GET("/organization/usages", {});
  // @ts-expect-error a method that the path does not have
  await client.DELETE("/organization/usage");
  // @ts-expect-error a value that the parameter does not take
  await client.GET("/organization/usage", { params: { query: { costs: "some" } } });
  // @ts-expect-error parameters that are required
  await client.GET("/organization/usage/history");
  // @ts-expect-error a hold without a channel
  await client.POST("/organization/usage/holds", { body: { id: "hold" } });
  const path = { holdId: "hold" };
  const { data: hold } = await client.GET("/organization/usage/holds/{holdId}", { params: { path } });
  // @ts-expect-error a state that no hold has
  if (hold?.state === "lost") return;
  // @ts-expect-error a message has no cost
  const event: Schemas["MessageEvent"] = { id: "mail", channel: "EMAIL", cost: "1" };
  // @ts-expect-error a status that is not documented
  type Teapot = Answers<"usage.get">[418];
  return event as unknown as Teapot;
}
