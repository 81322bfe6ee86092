// fcm-v1-http2, `sendMulticast`: any number of tokens a call, 10 connections of 100 streams.

import FcmV1Http2 from "fcm-v1-http2";

import { drive } from "./driving.mjs";

await drive((job) => {
  const client = new FcmV1Http2({
    serviceAccount: job.account,
    maxConcurrentConnections: 10,
    maxConcurrentStreamsAllowed: 100,
  });
  const message = {
    notification: { title: job.title, body: job.body },
    android: { priority: "high" },
  };

  return async () => {
    // It tells which tokens are unregistered, or of the first error, and of nothing else.
    try {
      const unregistered = await client.sendMulticast(message, job.tokens);
      const failed = unregistered.length;
      return { succeeded: job.tokens.length - failed, failed, errors: {} };
    } catch (error) {
      const words = String(error?.message ?? error).slice(0, 200);
      return { succeeded: 0, failed: job.tokens.length, errors: { [words]: 1 } };
    }
  };
});
