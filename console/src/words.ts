import type { Hop } from "./api";

export const outcomes = ["immediate", "out-of-cycle", "scheduled", "defer"] as const;

export const outcomeColor: Record<string, string> = {
  immediate: "red",
  "out-of-cycle": "orange",
  scheduled: "blue",
  defer: "gray",
};

export const outcomeMeaning: Record<string, string> = {
  immediate: "Act now",
  "out-of-cycle": "Before the next release",
  scheduled: "With regular maintenance",
  defer: "Leave for now",
};

export const exposureColor: Record<string, string> = {
  open: "red",
  controlled: "orange",
  small: "green",
  unknown: "yellow",
};

export const kindName: Record<string, string> = {
  DockerContainer: "Docker",
  LambdaFunction: "Lambda",
};

/** The name without what repeats: the last segment first, where it stands after. */
export function shortName(name: string): { head: string; tail: string } {
  const i = name.lastIndexOf("/");
  return i < 0 ? { head: name, tail: "" } : { head: name.slice(i + 1), tail: name.slice(0, i) };
}

export function hopWords(h: Hop): string {
  return h.reason || h.evidence?.detail || "";
}

export function percent(p: number): string {
  if (p <= 0) return "";
  return p < 0.001 ? "<0.1 %" : `${(p * 100).toFixed(p < 0.1 ? 1 : 0)} %`;
}
