// For development against `sendmeter mock`: the page's address chooses what the mock answers. `?scenario=near-cap` is
// the state of its world, `session=NAME` a world of one's own, `prefer=delay=2000` goes with every request and
// `prefer-usage=code=502` with one: usage, history, limits or events. A server that is no mock ignores these headers.
import type { Middleware } from "openapi-fetch";

const asked = (): URLSearchParams => new URLSearchParams(location.search);

/** Whether the page's address chooses anything. */
export const isChosen = (): boolean =>
  [...asked().keys()].some((name) => /^(scenario|session|prefer(-\w+)?)$/.test(name));

export const mock: Middleware = {
  onRequest({ request, schemaPath }) {
    const operation = schemaPath.split("/").at(-1);
    const headers = {
      "X-Mock-Scenario": asked().get("scenario"),
      "X-Mock-Session": asked().get("session"),
      Prefer: asked().get(`prefer-${operation}`) ?? asked().get("prefer"),
    };
    for (const [name, value] of Object.entries(headers)) if (value !== null) request.headers.set(name, value);
  },
};
