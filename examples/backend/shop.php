<?php
// A tiny shop: it makes orders through h5pay's API, sends the customer to their URL, learns of
// payments by a webhook, and refunds by API. docs/backend.md explains it. It needs PHP alone, and
// keeps each order in a file of its own.
//
//   H5PAY_URL=http://localhost:8802 H5PAY_KEY=h5pay_... WEBHOOK_SECRET=whsec_... php shop.php
declare(strict_types=1);

const PRICE = 6800; // fen
define('H5PAY_URL', (string) getenv('H5PAY_URL'));
define('SECRET', (string) getenv('WEBHOOK_SECRET'));
define('FOLDER', sys_get_temp_dir() . '/h5pay-sample-orders');

if (PHP_SAPI === 'cli') { // the command: it starts the server, which runs this file for each request
    if (H5PAY_URL === '' || !getenv('H5PAY_KEY') || !preg_match('~^whsec_[A-Za-z0-9+/]{32,86}={0,2}$~D', SECRET)) {
        fwrite(STDERR, "set H5PAY_URL, H5PAY_KEY and WEBHOOK_SECRET (whsec_ and the base64 of 24 to 64 bytes)\n");
        exit(1);
    }
    passthru(implode(' ', array_map('escapeshellarg', [PHP_BINARY, '-S', 'localhost:' . (getenv('PORT') ?: '3000'), __FILE__])), $status);
    exit($status);
}

// change lets one request at a time read and change an order. Returns null if there is none.
function change(string $reference, callable $change): mixed
{
    if (!preg_match('/^[0-9a-f]{20}$/D', $reference) || !is_file(FOLDER . "/$reference")) {
        return null;
    }
    $file = fopen(FOLDER . "/$reference", 'r+');
    flock($file, LOCK_EX);
    $order = json_decode(stream_get_contents($file), true);
    $result = $change($order); // the function takes the order by reference
    rewind($file);
    fwrite($file, str_pad(json_encode($order), 200)); // yours is a row of a database
    fclose($file);
    return $result;
}

function buy(): array
{
    $reference = bin2hex(random_bytes(10));
    @mkdir(FOLDER);
    // Before the call, because the webhook can come before the response.
    file_put_contents(FOLDER . "/$reference", json_encode(['reference' => $reference, 'status' => 'new', 'refunded' => 0]));
    $body = ['amount' => PRICE, 'description' => '高山乌龙茶', 'reference' => $reference];
    if (getenv('PUBLIC_URL')) {
        $body['return_url'] = getenv('PUBLIC_URL') . "/orders/$reference";
    }
    return [303, '', 'Location: ' . call('/v1/orders', $reference, $body)['url']];
}

// verify returns the event of a delivery that WEBHOOK_SECRET signed less than five minutes ago.
function verify(string $body): array
{
    [$id, $at, $signatures] = array_map(fn ($name) => $_SERVER["HTTP_WEBHOOK_$name"] ?? '', ['ID', 'TIMESTAMP', 'SIGNATURE']);
    $key = base64_decode(substr(SECRET, strlen('whsec_')));
    $want = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$at.$body", $key, true));
    if (!array_filter(explode(' ', $signatures), fn ($signature) => hash_equals($want, $signature))) {
        throw new UnexpectedValueException('no signature matches');
    }
    if (!preg_match('/^[0-9]{1,12}$/D', $at) || abs(time() - (int) $at) > 300) {
        throw new UnexpectedValueException('it was signed at another time');
    }
    return json_decode($body, true, 512, JSON_THROW_ON_ERROR);
}

// handle processes a verified event once, however often it arrives.
function handle(array $event): void
{
    if ($event['shop'] !== H5PAY_URL || ($event['simulated'] ?? false) && getenv('ACCEPT_SIMULATED') !== '1') {
        throw new UnexpectedValueException("the event is of another shop ($event[shop]), or simulated");
    }
    $sold = $event['data']['order'];
    change((string) $sold['reference'], function (array &$order) use ($event, $sold) {
        if ($sold['total'] !== PRICE || $sold['currency'] !== 'CNY') {
            throw new UnexpectedValueException("order $order[reference] has another amount");
        }
        if ($event['type'] === 'order.paid' && $order['status'] !== 'paid') { // also after order.closed: a late payment counts
            $order = ['status' => 'paid', 'id' => $sold['id']] + $order;
            error_log("ship order $order[reference]"); // in a real shop: in the transaction that marks the order as paid
        } elseif ($event['type'] === 'order.closed' && $order['status'] === 'new') {
            $order['status'] = 'closed';
        } elseif ($event['type'] === 'order.refunded') {
            $order['refunded'] = max($order['refunded'], $sold['refunded']);
        }
    });
}

function receive(): array
{
    try {
        handle(verify(file_get_contents('php://input'))); // the received bytes, before a parser changes them
        return [204, ''];
    } catch (UnexpectedValueException | JsonException $e) {
        error_log('webhook rejected: ' . $e->getMessage());
        return [400, 'rejected']; // h5pay sends the event again later
    }
}

function refund(string $reference): array
{
    if (!getenv('OPERATOR_TOKEN') || !hash_equals('Bearer ' . getenv('OPERATOR_TOKEN'), $_SERVER['HTTP_AUTHORIZATION'] ?? '')) {
        return [401, "send the operator's token"];
    }
    $order = change($reference, fn (array &$order) => $order);
    if (($order['status'] ?? '') !== 'paid') {
        return [409, 'no such paid order'];
    }
    return [200, json_encode(call("/v1/orders/$order[id]/refunds", "refund-$reference", ['reason' => '退货']))];
}

// call posts to h5pay. It repeats a call that got no response. With the same Idempotency-Key no call takes effect twice.
function call(string $path, string $idempotencyKey, array $body): array
{
    $headers = ['Authorization: Bearer ' . getenv('H5PAY_KEY'), "Idempotency-Key: $idempotencyKey", 'Content-Type: application/json'];
    $http = ['method' => 'POST', 'header' => $headers, 'content' => json_encode($body), 'timeout' => 10, 'ignore_errors' => true];
    for ($try = 0; $try < 3; $try++) {
        $http_response_header = [];
        $text = @file_get_contents(H5PAY_URL . $path, false, stream_context_create(['http' => $http]));
        $status = (int) (explode(' ', $http_response_header[0] ?? '')[1] ?? 0);
        $answer = json_decode((string) $text, true);
        if ($status === 201 && $answer) {
            return $answer;
        }
        if ($status >= 300 && $status < 500) {
            break;
        }
        sleep(1);
    }
    throw new RuntimeException("$path: $status $text");
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
preg_match('~^/orders/([0-9a-f]{20})(/refund)?$~D', $path, $parts);
try {
    [$status, $body, $header] = match ($_SERVER['REQUEST_METHOD'] . ' ' . ($parts ? '/orders' . ($parts[2] ?? '') : $path)) {
        'GET /' => [200, '<form method="post" action="/buy"><button>高山乌龙茶 ¥68.00</button></form>'],
        'POST /buy' => buy(),
        'POST /webhook' => receive(),
        'GET /orders' => [200, json_encode(change($parts[1], fn (array &$order) => $order))],
        'POST /orders/refund' => refund($parts[1]),
        default => [404, 'no such page'],
    } + [2 => 'Cache-Control: no-store'];
} catch (RuntimeException $e) {
    error_log($e->getMessage());
    [$status, $body, $header] = [502, 'h5pay did not do it', 'Cache-Control: no-store'];
}
header($header, true, $status);
echo $body;
