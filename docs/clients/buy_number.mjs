// Search, buy, assign and release a phone number with Node 18 or newer; no packages.
//
// BURKI_URL=http://127.0.0.1:8000 BURKI_API_KEY=burki_… node buy_number.mjs telnyx 415 7

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const { BURKI_URL, BURKI_API_KEY } = process.env;
const PATIENCE = 120_000; // milliseconds that we go on asking what became of a purchase

// Nothing was bought. `code` is the machine's word for why.
class Refused extends Error {
  constructor({ code, detail, hint }) {
    super([detail, hint].filter(Boolean).join(' '));
    this.code = code;
  }
}

async function post(path, body, headers = {}) {
  const response = await fetch(BURKI_URL + path, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${BURKI_API_KEY}`,
      'Content-Type': 'application/json',
      ...headers,
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  const wait = Number(response.headers.get('Retry-After') ?? 2) * 1000;
  return { status: response.status, told: await response.json(), wait };
}

async function search(provider, areaCode) {
  const { status, told } = await post('/phone-numbers/search', { provider, area_code: areaCode });
  if (status !== 200) throw new Refused(told);
  return told.numbers;
}

// Buy exactly this number, at most once. One key for one purchase: however often the request is
// sent again, it is the same purchase.
async function purchase(number, provider, assistantId) {
  let key = randomUUID();
  const ends = Date.now() + PATIENCE;
  for (;;) {
    let answer = null;
    try {
      answer = await post(
        '/phone-numbers/purchase',
        {
          phone_number: number,
          provider,
          assistant_id: assistantId,
          friendly_name: 'Support line',
        },
        { 'Idempotency-Key': key },
      );
    } catch {
      // No answer: perhaps bought. Ask again, with the same key.
    }
    if (answer?.status === 200) return answer.told;
    const told = answer?.told ?? {};
    // Being made, being confirmed, too many requests, or nothing could be tried just now.
    const inDoubt = answer === null || [429, 503, 504].includes(answer.status);
    if (!inDoubt && told.code !== 'purchase_in_progress') throw new Refused(told);
    if (Date.now() > ends) throw new Error(told.status_url ?? `no answer about ${number}`);
    if (told.retryable) key = randomUUID(); // this attempt is over, nothing was charged
    await sleep(answer?.wait ?? 2000);
  }
}

// The first of the numbers that is still for sale.
async function buyOneOf(numbers, provider, assistantId) {
  for (const { phone_number: number } of numbers) {
    try {
      return await purchase(number, provider, assistantId);
    } catch (error) {
      if (error.code !== 'number_unavailable') throw error; // the next would fare no better
      console.log(`taken     ${number}`);
    }
  }
  throw new Error('None of the numbers is for sale any more: search again.');
}

async function main(provider, areaCode, assistantId) {
  const bought = await buyOneOf(await search(provider, areaCode), provider, Number(assistantId));
  const number = bought.phone_number;
  console.log(`bought    ${number} ${bought.purchase_details.status ?? 'completed'}`);

  const path = `/api/v1/assistants/${assistantId}/phone-numbers/assign-by-number`;
  const assigned = await post(path, { phone_number: number });
  if (assigned.status !== 200 || !assigned.told.success) throw new Refused(assigned.told);
  console.log(`assigned  ${number}`);

  const released = await post('/phone-numbers/release', { phone_number: number });
  if (released.status !== 200) throw new Refused(released.told);
  console.log(`released  ${number}`);
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error instanceof Refused ? `refused   ${error.code}: ${error.message}` : error);
  process.exitCode = 1;
});
