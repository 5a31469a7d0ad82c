// Takes the pictures: node screenshots.mjs <where.json of e2e/cmd/showroom> <folder>.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const { ui, api } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const folder = process.argv[3];
const patience = 120_000; // ms, for anything on a page; much else may run on the machine

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, timezoneId: 'UTC', locale: 'en-GB' });
context.setDefaultTimeout(patience);
// The columns that an operator would choose for the list of workflows.
await context.addInitScript(() => {
  const columns = ['Status', 'Workflow ID', 'CcrJobState', 'CcrSyncState', 'CcrSourceDatabase', 'CcrDestinationDatabase', 'Start'];
  localStorage.setItem('namespace-workflow-table-columns', JSON.stringify({ default: columns.map((label) => ({ label })) }));
});
const page = await context.newPage();

// seen waits for a text on the page. Markdown is shown in a frame of its own.
async function seen(text) {
  for (const end = Date.now() + patience; Date.now() < end; await page.waitForTimeout(200)) {
    for (const frame of page.frames()) {
      if (await frame.getByText(text).first().isVisible().catch(() => false)) return;
    }
  }
  throw new Error(`${page.url()} does not show ${text}`);
}

// shot opens a page, waits until all texts are on it and takes the picture.
async function shot(name, url, texts, prepare = async () => {}) {
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  await prepare();
  for (const text of texts) await seen(text);
  await page.waitForLoadState('load');
  await page.screenshot({ path: `${folder}/${name}.png` });
  console.log(`${folder}/${name}.png`);
}

const workflows = `${ui}/namespaces/default/workflows`;
const job = (name) => `${workflows}/ccr-job-${name}`;
// A tab of a job's page has an address of its own, with the id of the run in it.
const tab = (name) => async () => {
  await page.goto(ui + await page.getByRole('tab', { name }).getAttribute('href'), { waitUntil: 'domcontentloaded' });
};

await shot('webui-jobs', workflows, ['ccr-job-stock', 'ccr-job-shop', 'stalled']);
await shot('webui-details', job('stock'), ['Current Details', 'What to do:'], tab('User Metadata'));
await shot('webui-snapshot', job('archive'), ['RestoreSnapshot'], tab('Pending Activities'));
await page.setViewportSize({ width: 1400, height: 1150 }); // the timeline is far down
await shot('webui-timeline', job('shop'), ['CheckJob']);
await page.setViewportSize({ width: 1400, height: 600 });
await shot('view', `${api}/view`, ['Replication jobs', 'stock']);
await page.setViewportSize({ width: 390, height: 844 }); // a phone
await shot('view-phone', `${api}/view`, ['Replication jobs', 'stock']);
await browser.close();
