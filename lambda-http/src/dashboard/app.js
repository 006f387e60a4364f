// The page: the token, and how the parts tell each other of changes.

import { call, token } from "./api.js";
import { byId } from "./dom.js";
import { openCreate } from "./create.js";
import { loadFunctions, select } from "./functions.js";
import { startMetrics } from "./metrics.js";
import { showRun } from "./run.js";

const metrics = startMetrics(byId("metrics"), byId("metrics-age"), { onDenied: forgetWrong });

/** A run was made, and will soon be in the metrics. */
function onRun() {
  setTimeout(() => metrics.refresh(), 1000);
}

async function onDeleted() {
  showRun(null);
  await reload();
}

async function reload(selected) {
  const functions = await loadFunctions(byId("functions"), {
    onSelect: (fn) => showRun(fn, { onRun, onDeleted }),
    onDenied: () => say("This server needs a token.", "bad"),
  });
  if (selected) select(functions.find((fn) => fn.id === selected));
}

function say(text, kind = "") {
  byId("token-message").textContent = text;
  byId("token-message").className = `message ${kind}`;
}

function showToken() {
  const known = token.get() !== null;
  byId("token-forget").hidden = !known;
  for (const id of ["token-label", "token", "token-save"]) byId(id).hidden = known;
  byId("token-form").classList.toggle("known", known);
  if (known) say("Token accepted; kept until this tab is closed.", "good");
}

function forgetWrong(message = "Wrong token. Metrics stay hidden until a right one is entered.") {
  token.forget();
  showToken();
  say(message, "bad");
  byId("token").focus();
}

async function tryToken(secret) {
  if (secret === "") return say("Enter a token first.", "bad");
  say("Checking …");
  try {
    await call("GET", "metrics/summary", { bearer: secret });
  } catch (error) {
    // A token that may do other things than read metrics is a right one.
    if (error.status !== 403) {
      metrics.lock();
      return error.status === 401 ? forgetWrong() : say(error.message, "bad");
    }
  }
  token.set(secret);
  byId("token").value = "";
  showToken();
  metrics.refresh();
  reload();
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  tryToken(byId("token").value.trim());
});
byId("token-forget").addEventListener("click", () => {
  token.forget();
  say("");
  showToken();
  metrics.lock();
  reload();
  byId("token").focus();
});
byId("new").addEventListener("click", () => openCreate({ onCreated: (fn) => reload(fn.id) }));

showToken();
reload();
metrics.refresh();
