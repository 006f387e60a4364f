// The page: navigation around the screen that the address names.

import { html, render, useEffect, useRef, useState } from "./lib/html.js";
import { to, useRoute } from "./lib/router.js";
import { startTheme, toggleTheme } from "./lib/theme.js";
import { token, useToken } from "./lib/token.js";
import { Empty } from "./ui/basics.js";
import { Dialog } from "./ui/dialog.js";
import { TokenForm } from "./ui/token.js";
import { FunctionScreen } from "./screens/function.js";
import { Functions } from "./screens/functions.js";
import { Invocation } from "./screens/invocation.js";
import { Invocations } from "./screens/invocations.js";
import { Metrics } from "./screens/metrics.js";
import { NewFunction } from "./screens/new.js";
import { Pool } from "./screens/pool.js";
import { Tokens } from "./screens/tokens.js";

const PLACES = [
  ["functions", "Functions", "M5 4h14v5H5zM5 15h14v5H5z"],
  ["metrics", "Metrics", "M4 20h16M7 16v-4M12 16V6M17 16V9"],
  ["invocations", "Invocations", "M4 6h16M4 12h16M4 18h10"],
  ["pool", "Pool", "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z"],
  ["tokens", "Tokens", "M12 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0h9v4M17 12v3"],
];

function Screen({ path: [place = "functions", ...rest], query }) {
  if (place === "functions" && rest.length === 0) return html`<${Functions} />`;
  if (place === "functions" && rest.length === 1) return html`<${FunctionScreen} key=${rest[0]} name=${rest[0]} query=${query} />`;
  if (place === "new") return html`<${NewFunction} />`;
  if (place === "metrics") return html`<${Metrics} query=${query} />`;
  if (place === "invocations" && rest.length === 0) return html`<${Invocations} query=${query} />`;
  if (place === "invocations") return html`<${Invocation} key=${rest[0]} id=${rest[0]} />`;
  if (place === "pool") return html`<${Pool} />`;
  if (place === "tokens") return html`<${Tokens} />`;
  return html`<section class="panel"><${Empty} title="There is nothing here"><a class="button" href=${to(["functions"])}>To the functions</a><//></section>`;
}

function TokenButton() {
  const secret = useToken();
  const [isOpen, setIsOpen] = useState(false);
  useEffect(() => {
    if (secret !== null) setIsOpen(false);
  }, [secret]);
  if (secret !== null) return html`<button type="button" id="token-forget" onClick=${() => token.forget()}>Forget token</button>`;
  return html`
    <button type="button" id="token-open" onClick=${() => setIsOpen(true)}>Enter token</button>
    ${isOpen && html`<${Dialog} title="Access token" onClose=${() => setIsOpen(false)}>
      <${TokenForm} isFocused />
      <div class="bar end"><button type="button" onClick=${() => setIsOpen(false)}>Close</button></div>
    <//>`}
  `;
}

function App() {
  const route = useRoute();
  const main = useRef(null);
  const place = route.path[0] ?? "functions";
  const current = place === "new" ? "functions" : place;
  const address = route.path.join("/");
  const isFirst = useRef(true);
  useEffect(() => {
    const label = PLACES.find(([word]) => word === current)?.[1] ?? "lambda";
    if (route.path.length < 2) document.title = `${place === "new" ? "New function" : label} · lambda`;
    // Screen readers and the keyboard go on from the new screen, as after loading a page.
    if (!isFirst.current && !main.current.contains(document.activeElement)) main.current.focus();
    isFirst.current = false;
    window.scrollTo(0, 0);
  }, [address]);
  return html`
    <a class="skip" href=${location.hash || "#/"} onClick=${(event) => {
      event.preventDefault();
      main.current.focus();
    }}>Skip to content</a>
    <header class="side">
      <a class="brand" href=${to(["functions"])}><span class="logo" aria-hidden="true">λ</span>lambda</a>
      <nav class="places" aria-label="Main">
        ${PLACES.map(
          ([word, label, path]) => html`<a key=${word} id=${`go-${word}`} href=${to([word])} aria-current=${word === current ? "page" : undefined}>
            <svg viewBox="0 0 24 24" aria-hidden="true"><path d=${path} /></svg><span>${label}</span>
          </a>`,
        )}
      </nav>
      <div class="side-foot">
        <${TokenButton} />
        <button type="button" class="quiet-button" id="theme" aria-label="Switch between light and dark" onClick=${toggleTheme}>
          <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18" /></svg>
        </button>
      </div>
    </header>
    <main id="main" ref=${main} tabindex="-1"><${Screen} ...${route} /></main>
  `;
}

startTheme();
render(html`<${App} />`, document.getElementById("app"));
