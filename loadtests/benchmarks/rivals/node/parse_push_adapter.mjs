// @parse/push-adapter: what Parse Server hands its installations to.

import { ParsePushAdapter } from "@parse/push-adapter";

import { drive, slices, tally } from "./driving.mjs";

// It sends slices of 500 at once: eight of them are its quickest here.
const INSTALLATIONS = 4_000;

await drive((job) => {
  const adapter = new ParsePushAdapter({ android: { firebaseServiceAccount: job.account } });
  const rawPayload = {
    notification: { title: job.title, body: job.body },
    android: { priority: "high" },
  };

  return async () => {
    const responses = [];
    for (const tokens of slices(job.tokens, INSTALLATIONS)) {
      const installations = tokens.map((deviceToken) => ({ deviceType: "android", deviceToken }));
      for (const { transmitted, response } of await adapter.send({ rawPayload }, installations)) {
        responses.push({ success: transmitted, error: response?.error });
      }
    }
    return tally(responses);
  };
});
