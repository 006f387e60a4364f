// What a person has typed over something that is saved.

import { useState } from "./html.js";

/**
 * `[value, setDraft, settle]`: the draft, or `saved` while nothing was typed. No effect copies `saved`
 * into a state: it would run a moment after the field can be typed in, over what was typed by then.
 * `settle(sent)` ends the draft once `sent` is saved, unless it was typed on meanwhile.
 */
export function useDraft(saved) {
  const [draft, setDraft] = useState(null);
  const settle = (sent) => setDraft((now) => (now === sent ? null : now));
  return [draft ?? saved, setDraft, settle];
}
