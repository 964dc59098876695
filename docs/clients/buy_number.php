<?php
// Search, buy, assign and release a phone number with PHP 8 and its curl extension.
//
// BURKI_URL=http://127.0.0.1:8000 BURKI_API_KEY=burki_… php buy_number.php telnyx 415 7

const PATIENCE = 120; // seconds that we go on asking what became of a purchase

// Nothing was bought. `reason` is the machine's word for why.
class Refused extends Exception
{
    public readonly ?string $reason;

    public function __construct(array $told)
    {
        $this->reason = $told['code'] ?? null;
        parent::__construct(trim($told['detail'] . ' ' . ($told['hint'] ?? '')));
    }
}

/** @return array{int, array, int} status (0: no answer came), JSON, seconds to wait */
function post(string $path, array $body, array $headers = []): array
{
    $wait = 2;
    $curl = curl_init(getenv('BURKI_URL') . $path);
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => json_encode($body),
        CURLOPT_HTTPHEADER => [
            'Authorization: Bearer ' . getenv('BURKI_API_KEY'),
            'Content-Type: application/json',
            ...$headers,
        ],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 30,
        CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$wait): int {
            if (preg_match('/^Retry-After:\s*(\d+)/i', $line, $found)) {
                $wait = (int) $found[1];
            }
            return strlen($line);
        },
    ]);
    $answer = curl_exec($curl);
    $status = $answer === false ? 0 : curl_getinfo($curl, CURLINFO_HTTP_CODE);
    curl_close($curl);
    return [$status, json_decode((string) $answer, true) ?? [], $wait];
}

function newKey(): string
{
    return bin2hex(random_bytes(16));
}

function search(string $provider, string $areaCode): array
{
    [$status, $told] = post('/phone-numbers/search', [
        'provider' => $provider,
        'area_code' => $areaCode,
    ]);
    if ($status !== 200) {
        throw new Refused($told + ['detail' => "Search: HTTP $status"]);
    }
    return $told['numbers'];
}

// Buy exactly this number, at most once. One key for one purchase: however often the request is
// sent again, it is the same purchase.
function purchase(string $number, string $provider, int $assistantId): array
{
    $key = newKey();
    $ends = time() + PATIENCE;
    while (true) {
        [$status, $told, $wait] = post('/phone-numbers/purchase', [
            'phone_number' => $number,
            'provider' => $provider,
            'assistant_id' => $assistantId,
            'friendly_name' => 'Support line',
        ], ["Idempotency-Key: $key"]);
        if ($status === 200) {
            return $told;
        }
        // No answer, being made, being confirmed, too many requests, or nothing could be tried.
        $inDoubt = in_array($status, [0, 429, 503, 504], true);
        if (!$inDoubt && ($told['code'] ?? '') !== 'purchase_in_progress') {
            throw new Refused($told + ['detail' => "Purchase: HTTP $status"]);
        }
        if (time() > $ends) {
            throw new RuntimeException($told['status_url'] ?? "no answer about $number");
        }
        if ($told['retryable'] ?? false) {
            $key = newKey(); // this attempt is over, nothing was charged
        }
        sleep($wait);
    }
}

// The first of the numbers that is still for sale.
function buyOneOf(array $numbers, string $provider, int $assistantId): array
{
    foreach ($numbers as $found) {
        try {
            return purchase($found['phone_number'], $provider, $assistantId);
        } catch (Refused $refusal) {
            if ($refusal->reason !== 'number_unavailable') {
                throw $refusal; // the next number would fare no better
            }
            echo "taken     {$found['phone_number']}\n";
        }
    }
    throw new RuntimeException('None of the numbers is for sale any more: search again.');
}

try {
    [, $provider, $areaCode, $assistantId] = $argv;
    $bought = buyOneOf(search($provider, $areaCode), $provider, (int) $assistantId);
    $number = $bought['phone_number'];
    echo "bought    $number ", $bought['purchase_details']['status'] ?? 'completed', "\n";

    $path = "/api/v1/assistants/$assistantId/phone-numbers/assign-by-number";
    [$status, $told] = post($path, ['phone_number' => $number]);
    if ($status !== 200 || !$told['success']) {
        throw new Refused($told + ['detail' => "Assign: HTTP $status"]);
    }
    echo "assigned  $number\n";

    [$status, $told] = post('/phone-numbers/release', ['phone_number' => $number]);
    if ($status !== 200) {
        throw new Refused($told + ['detail' => "Release: HTTP $status"]);
    }
    echo "released  $number\n";
} catch (Refused $refusal) {
    fwrite(STDERR, "refused   {$refusal->reason}: {$refusal->getMessage()}\n");
    exit(1);
}
