// How a driver and who measures it talk; the words are explained in ../drivers/driving.py.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const MARK = "rival ";

const say = (what) => process.stdout.write(`${MARK}${JSON.stringify(what)}\n`);

/** Run a driver: `prepare(job)` is not measured; what it returns sends and is. */
export async function drive(prepare) {
  const job = JSON.parse(process.argv[2]);
  job.account = JSON.parse(readFileSync(job.service_account, "utf8"));
  job.tokens = [];
  for (let device = job.first; device < job.messages; device += job.step) {
    job.tokens.push(String(device).padStart(150, "0"));
  }
  const send = await prepare(job);
  const input = createInterface({ input: process.stdin });
  const ended = new Promise((resolve) => input.once("close", resolve));
  const told = new Promise((resolve) => input.once("line", resolve));
  say({ ready: true });
  await told;
  say(await send());
  await ended;
  process.exit(0);
}

/** The sum of what the library said of each message. */
export function tally(responses) {
  const errors = {};
  let succeeded = 0;
  for (const { success, error } of responses) {
    if (success) {
      succeeded += 1;
    } else {
      const words = String(error?.message ?? error).slice(0, 200);
      errors[words] = (errors[words] ?? 0) + 1;
    }
  }
  return { succeeded, failed: responses.length - succeeded, errors };
}

/** Slices of at most `size` elements. */
export function* slices(all, size) {
  for (let start = 0; start < all.length; start += size) {
    yield all.slice(start, start + size);
  }
}
