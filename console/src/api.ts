import createClient from "openapi-fetch";
import type { components, paths } from "./api.gen";

export type Risk = components["schemas"]["Decision"];
export type Hop = components["schemas"]["Hop"];
export type Drawing = components["schemas"]["Drawing"];
export type Change = components["schemas"]["Change"];
export type Status = components["schemas"]["Status"];

export interface Filter {
  text: string;
  decision: string[];
  exposure: string[];
  kind: string;
}

export const noFilter: Filter = { text: "", decision: [], exposure: [], kind: "" };

const client = createClient<paths>({ credentials: "same-origin" });

/** A refusal of the server, with what it said. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

function unwrap<T>(answer: { data?: T; error?: { detail?: string }; response: Response }): T {
  if (answer.data === undefined) {
    throw new Refused(answer.response.status, answer.error?.detail ?? `the server answered ${answer.response.status}`);
  }
  return answer.data;
}

export async function listRisks(f: Filter, limit: number) {
  const query = {
    q: f.text || undefined,
    decision: f.decision.length ? f.decision : undefined,
    exposure: f.exposure.length ? f.exposure : undefined,
    kind: f.kind || undefined,
    limit,
  };
  return unwrap(await client.GET("/api/v1/risks", { params: { query } }));
}

export async function getRisk(id: string) {
  return unwrap(await client.GET("/api/v1/risks/{id}", { params: { path: { id } } }));
}

export async function getStatus() {
  return unwrap(await client.GET("/api/v1/status"));
}

/** Swaps the token in the address (#token=…) for a session cookie and takes it out of sight. */
export async function openSession(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  const answer = await fetch("/api/v1/session", { method: "POST", body: JSON.stringify({ token }) });
  if (!answer.ok) throw new Refused(answer.status, (await answer.text()).trim());
}
