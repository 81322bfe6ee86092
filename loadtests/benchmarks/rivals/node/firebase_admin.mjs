// firebase-admin for Node, `sendEach`: 500 messages a call, over an HTTP/2 session each.

import { cert, initializeApp } from "firebase-admin/app";
import { getMessaging } from "firebase-admin/messaging";

import { drive, slices, tally } from "./driving.mjs";

const BATCH = 500;
// One call waits for its last answer: eight at once keep the processor busy, its quickest here.
const CALLS_AT_ONCE = 8;

await drive((job) => {
  const messaging = getMessaging(initializeApp({ credential: cert(job.account) }));
  const notification = { title: job.title, body: job.body };
  const android = { priority: "high" };

  return async () => {
    const batches = slices(job.tokens, BATCH);
    const responses = [];
    const caller = async () => {
      for (const tokens of batches) {
        const messages = tokens.map((token) => ({ notification, android, token }));
        const answer = await messaging.sendEach(messages);
        responses.push(...answer.responses);
      }
    };
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, caller));
    return tally(responses);
  };
});
