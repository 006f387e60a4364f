// Does in a browser what a visitor does: drive.cjs URL SCREENSHOT
const { chromium } = require('playwright-core');

const [url, screenshot] = process.argv.slice(2);

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.LAMBDA_TEST_BROWSER,
    args: ['--no-sandbox'],
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  await page.getByLabel('Name').fill('hello');
  await page.getByLabel('Code').fill("import sys\nprint(f'Hello, {sys.argv[1]}!')");
  await page.getByTestId('stFormSubmitButton').getByRole('button', { name: 'Deploy' }).click();
  await page.getByText('hello is at version 1.').waitFor();
  await page.getByRole('tab', { name: 'Execute' }).click();
  await page.getByLabel('Args, as in a shell').fill('Alice');
  await page.getByTestId('stFormSubmitButton').getByRole('button', { name: 'Execute' }).click();
  await page.getByText('Hello, Alice!', { exact: true }).waitFor();
  await page.getByRole('tab', { name: 'Metrics' }).click();
  const token = page.getByRole('textbox', { name: 'Token' });
  await token.fill('wrong');
  await token.press('Enter');
  await page.getByText('This token does not open the metrics.').waitFor();
  // Records are in the store within a second.
  const calls = page.getByTestId('stMetricValue').first();
  const deadline = Date.now() + 30_000;
  do {
    await token.fill('');
    await token.press('Enter');
    await calls.waitFor({ state: 'detached' });
    await token.fill('right');
    await token.press('Enter');
    await calls.waitFor();
  } while ((await calls.innerText()) !== '1' && Date.now() < deadline);
  await page.getByTestId('stVegaLiteChart').nth(1).locator('canvas, svg').first().waitFor();
  await page.getByText('Median', { exact: true }).waitFor();
  await page.screenshot({ path: screenshot, fullPage: true });
  await browser.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
