import { expect, test } from "vitest";
import { hopWords, percent, shortName } from "./words";

test("a name is split where people look first", () => {
  expect(shortName("shop/batch/worker")).toEqual({ head: "worker", tail: "shop/batch" });
  expect(shortName("alone")).toEqual({ head: "alone", tail: "" });
});

test("a small probability is not shown as zero", () => {
  expect(percent(0)).toBe("");
  expect(percent(0.0004)).toBe("<0.1 %");
  expect(percent(0.034)).toBe("3.4 %");
  expect(percent(0.97)).toBe("97 %");
});

test("a hop that blocks speaks with its reason, another with its evidence", () => {
  expect(hopWords({ type: "security-group", id: "sg-1", reason: "no rule for tcp 8080" })).toBe("no rule for tcp 8080");
  expect(hopWords({ type: "security-group", evidence: { source: "s", detail: "tcp 443 from 0.0.0.0/0" } })).toBe("tcp 443 from 0.0.0.0/0");
});
