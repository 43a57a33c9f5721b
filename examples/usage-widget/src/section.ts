// A section of the page: it asks for something, and shows the answer or what went wrong.
import { Problem } from "./api";
import { byId, h } from "./dom";

const MOST_ATTEMPTS = 5;
const TITLES: Record<number, string> = {
  0: "The server cannot be reached",
  401: "This key does not work",
  402: "Locked: a cap is reached",
  403: "This key may not see this",
  429: "The server is busy",
  502: "A provider owes costs",
  503: "The server is not ready",
};
/** What will pass, or leaves something to be shown. */
const PASSING = [403, 429, 502, 503];

interface Asking<T> {
  ask: () => Promise<T>;
  show: (answer: T) => Node[];
  /** What can be shown all the same, below the problem. */
  instead?: (problem: Problem) => Promise<Node[]>;
  /** What to do where the key is none. */
  refused: (problem: Problem) => void;
}

export class Section<T> {
  private readonly element: HTMLElement;
  private readonly content: HTMLElement;
  private timer: number | undefined;
  private latest = 0;

  constructor(id: string, private readonly asking: Asking<T>) {
    this.element = byId(id);
    this.content = this.element.querySelector<HTMLElement>(".content")!;
  }

  /** Ask, and show what comes. What was asked before and comes later is not shown. */
  async load(attempt = 1): Promise<void> {
    this.stop();
    const mine = this.latest;
    this.element.ariaBusy = "true";
    if (!this.content.hasChildNodes()) this.content.append(skeleton());
    const shown = await this.asked(attempt, mine);
    if (mine !== this.latest) return;
    this.content.replaceChildren(...shown);
    this.element.ariaBusy = "false";
  }

  /** Forget what is shown and what is under way. */
  clear(): void {
    this.stop();
    this.content.replaceChildren();
  }

  private stop(): void {
    this.latest += 1;
    clearTimeout(this.timer);
  }

  private async asked(attempt: number, mine: number): Promise<Node[]> {
    try {
      return this.asking.show(await this.asking.ask());
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      // Of the last key, perhaps: it must not take the one that was given since.
      if (mine !== this.latest) return [];
      if (problem.status === 401) {
        this.asking.refused(problem);
        return [];
      }
      const panel = this.panel(problem, attempt);
      return [panel, ...((await this.asking.instead?.(problem).catch(nothing)) ?? [])];
    }
  }

  private panel(problem: Problem, attempt: number): HTMLElement {
    const again = h("button", { type: "button" }, "Try again");
    again.addEventListener("click", () => void this.load());
    const seconds = attempt < MOST_ATTEMPTS ? problem.retryAfterSeconds : undefined;
    if (seconds) this.timer = setTimeout(() => void this.load(attempt + 1), seconds * 1000);
    const wait = seconds && h("p", { class: "quiet" }, `Asking again in ${seconds} s.`);
    return problemPanel(problem, wait || undefined, again);
  }
}

/** Tell what went wrong, what to do about it, and what to tell the operator. */
export function problemPanel(problem: Problem, ...more: (HTMLElement | undefined)[]): HTMLElement {
  const { fix, provider, providerCode, trackingId } = problem.told;
  return h(
    "div",
    { class: PASSING.includes(problem.status) ? "problem passing" : "problem", role: "alert" },
    h("h3", {}, TITLES[problem.status] ?? "This went wrong"),
    h("p", {}, problem.message),
    fix !== undefined && h("p", {}, fix),
    provider !== undefined && h("p", {}, `Provider: ${provider}${providerCode ? `, its code: ${providerCode}` : ""}`),
    trackingId !== undefined && h("p", { class: "quiet" }, "Tracking id: ", h("code", {}, trackingId)),
    ...more,
  );
}

/** What was to be shown instead fails, too: the problem that is shown already is enough. */
function nothing(problem: unknown): Node[] {
  if (problem instanceof Problem) return [];
  throw problem;
}

function skeleton(): HTMLElement {
  const words = h("span", { class: "unseen" }, "Loading…");
  return h("div", { class: "skeleton", role: "status" }, words, h("i", {}), h("i", {}), h("i", {}));
}
