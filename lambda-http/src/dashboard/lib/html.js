// Preact and htm, joined once: templates become elements, and text in them stays text.

import { h } from "../vendor/preact/preact.js";
import htm from "../vendor/htm/htm.js";

export { render } from "../vendor/preact/preact.js";
export { useCallback, useEffect, useId, useMemo, useRef, useState } from "../vendor/preact/hooks.js";

export const html = htm.bind(h);
