// Drives the console in a real browser, for e2e/console_test.go: opens the list, filters, opens
// a proof, and sees a rule change arrive without a reload. Says "ready" when the change may
// come; exits 0 when all was seen.
import { chromium } from "playwright-core";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [address, pictures] = process.argv.slice(2);
const browser = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "triad-browser-")), {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  viewport: { width: 1440, height: 900 },
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

function check(truth, what) {
  if (!truth) throw new Error(`expected: ${what}`);
  console.log(`ok ${what}`);
}

try {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (e) => errors.push(String(e)));
  await page.goto(address);
  const rows = page.locator('[role="row"][data-risk]');
  await rows.first().waitFor();
  check(!page.url().includes("token"), "the token is out of the address");
  check((await rows.count()) > 5, "the ranked list has rows");
  check((await rows.first().getAttribute("data-decision")) === "immediate", "the most urgent comes first");
  await page.getByTestId("live").getByText("live").waitFor();
  if (pictures) await page.screenshot({ path: join(pictures, "console.png") });

  await page.getByLabel("Find").fill("CVE-2022-22965");
  await page.getByTestId("total").getByText("3 risks").waitFor();
  check(true, "the filter leaves the three containers of one image");
  const backoffice = rows.filter({ hasText: "backoffice" });
  check((await backoffice.getAttribute("data-decision")) === "out-of-cycle", "the closed one may wait");

  await backoffice.click();
  const hops = page.locator("ol.hops li");
  await hops.first().waitFor();
  check((await hops.first().getAttribute("data-hop")) === "internet", "the proof begins at the internet");
  const stop = page.locator('ol.hops li[data-state="blocks"]');
  check((await stop.getAttribute("data-hop")) === "security-group", "the proof ends at the security group that stops it");
  await page.locator("canvas").first().waitFor();
  if (pictures) await page.screenshot({ path: join(pictures, "proof-blocked.png") });

  await page.evaluate(() => { window.sameDocument = true; });
  console.log("ready");
  await page.getByTestId("detail-decision").getByText("immediate").waitFor({ timeout: 30_000 });
  console.log(`arrived ${Date.now()}`);
  check(await page.evaluate(() => window.sameDocument), "the change arrived without a reload");
  await page.locator('ol.hops li[data-hop="published-port"]').waitFor();
  check((await page.locator('ol.hops li[data-state="blocks"]').count()) === 0, "the proof now goes all the way");
  if (pictures) await page.screenshot({ path: join(pictures, "proof-open.png") });
  await page.keyboard.press("Escape");
  await page.getByTestId("arrival").waitFor();
  check((await backoffice.getAttribute("data-decision")) === "immediate", "the list shows it too");
  if (pictures) await page.screenshot({ path: join(pictures, "arrival.png") });
  check(errors.length === 0, `no script error (${errors.join("; ")})`);
} finally {
  await browser.close();
}
