<?php
// Uses the unmodified PHP clients: each text that has a pattern, both APIs, and a refusal.
// php test.php FOLDER, where FOLDER has the generated clients.

declare(strict_types=1);

require 'GuzzleHttp/autoload.php';

spl_autoload_register(function (string $class): void {
    global $argv;
    [$client, $name] = explode('\\', $class, 2) + [1 => ''];
    $folders = ['AgentMessage' => 'agentmessage', 'TetherRelay' => 'tether-relay'];
    if (isset($folders[$client])) {
        require "$argv[1]/$folders[$client]/lib/" . strtr($name, '\\', '/') . '.php';
    }
});

// Warnings, such as those of preg_match, are failures.
set_error_handler(function (int $level, string $message, string $file, int $line): bool {
    throw new ErrorException($message, 0, $level, $file, $line);
}, E_WARNING | E_NOTICE);

function check(bool $holds, string $what): void
{
    static $passed = 0;
    if (!$holds) {
        throw new RuntimeException("failed: $what");
    }
    echo ++$passed, " $what\n";
}

function refused(callable $call, string $exception, string $what): Throwable
{
    try {
        $call();
    } catch (Throwable $error) {
        check($error instanceof $exception, $what . ': ' . substr($error->getMessage(), 0, 60));
        return $error;
    }
    throw new RuntimeException("not refused: $what");
}

$url = getenv('API_URL');
$http = new GuzzleHttp\Client();

$configuration = (new AgentMessage\Configuration())->setHost($url)->setAccessToken(getenv('KEY'));
// By default this client writes booleans as 1 and 0, which OpenAPI does not (docs/CLIENTS.md).
AgentMessage\Configuration::getDefaultConfiguration()
    ->setBooleanFormatForQueryString(AgentMessage\Configuration::BOOLEAN_FORMAT_STRING);
$api = new AgentMessage\Api\OrganizationApi($http, $configuration);

$texts = ['Hi', "Łódź 😀 \u{a0}à", "two\nlines"];
foreach ($texts as $text) {
    $replies = (new AgentMessage\Model\AutoRepliesPatch())
        ->setStopText($text)
        ->setHelpText($text)
        ->setStartText($text)
        ->setAttestation($text);
    check($replies->getStopText() === $text, 'sets reply texts and the attestation');
}
$name = 'Łódź Health 😀';
$change = (new AgentMessage\Model\UpdateOrganizationRequest())
    ->setName($name)
    ->setBillingEmail("o'hara+ap/x@acme.example")
    ->setQuietHours((new AgentMessage\Model\QuietHoursPatch())->setStart('21:00')->setEnd('08:00'))
    ->setAutoReplies($replies);
$changed = $api->patchOrganization($change)->getData();
check($changed->getName() === $name, 'changes the name');
check($changed->getAutoReplies()->getHelpText() === "two\nlines", 'changes a reply text');

$read = $api->getOrganization()->getData();
check($read->getBillingEmail() === "o'hara+ap/x@acme.example", 'reads the organization');

refused(
    fn () => $change->setBillingEmail('nobody'),
    InvalidArgumentException::class,
    'the client refuses',
);
$blank = (new AgentMessage\Model\UpdateOrganizationRequest())->setName("\u{200a}");
$refusal = refused(
    fn () => $api->patchOrganization($blank),
    AgentMessage\ApiException::class,
    'the server refuses',
);
check($refusal->getCode() === 422, 'with 422');
$error = $refusal->getResponseObject()->getError();
check($error->getCode() === AgentMessage\Model\ErrorCode::VALIDATION_FAILED, 'with its code');

$keys = new AgentMessage\Api\APIKeysApi($http, $configuration);
$new = new AgentMessage\Model\CreateApiKeyRequest();
$new->setLabel('Kasse à 1')->setScopes(['org:read']);
$key = $keys->createApiKey($new)->getData();
$key = $keys->getApiKey($key->getId())->getData();
check($key->getLabel() === 'Kasse à 1', 'creates and reads a key');
check(count($keys->listApiKeys()->getData()) > 1, 'lists keys');
$log = new AgentMessage\Api\AuditLogApi($http, $configuration);
// A text, because this client cannot write a DateTime into a query.
$page = $log->listAuditLog(action: 'api_key.create', since: '2026-01-01T00:00:00Z');
check(count($page->getData()) > 0, 'lists the audit log');

$configuration = (new TetherRelay\Configuration())->setHost($url)->setAccessToken(getenv('TOKEN'));
$tether = new TetherRelay\Api\OrganizationsApi($http, $configuration);
$organization = getenv('ORGANIZATION');
foreach ($texts as $text) {
    $message = new TetherRelay\Model\UpdateMissedCallMessageRequest();
    $message->setMissedCallMessage($text);
    $stored = $tether->putOrganizationsOrganizationIdMissedCallMessage($organization, $message);
    check($stored->getMissedCallMessage() === $text, 'changes the missed-call message');
}
$stored = $tether->getOrganizationsOrganizationIdMissedCallMessage($organization);
check($stored->getMissedCallMessage() === "two\nlines", 'reads the missed-call message');
