// The AgentMessage client against a live server: every operation, every nullable field, every error it can meet.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { ErrorCode, type Organization, type UpdateOrganizationRequest } from 'agentmessage-client';
import { DIRECT, auditLogApi, keysApi, organizationApi, patch, refusal, setting } from './settings';

type Value = string | null | undefined;

// The nullable fields: how to send one, how to read it, and two values for it.
const NULLABLE: [string, (value: Value) => UpdateOrganizationRequest, (o: Organization) => Value, string, string][] = [
    ['billingEmail', (value) => ({ billingEmail: value }), (o) => o.billingEmail, 'one@acme.example', 'two@acme.example'],
    ['stopText', (value) => ({ autoReplies: { stopText: value } }), (o) => o.autoReplies.stopText, 'Stopped.', 'Out.'],
    ['helpText', (value) => ({ autoReplies: { helpText: value } }), (o) => o.autoReplies.helpText, 'Call us.', 'Write.'],
    ['startText', (value) => ({ autoReplies: { startText: value } }), (o) => o.autoReplies.startText, 'Started.', 'In.'],
];

async function readRaw() {
    const raw = await organizationApi().getOrganizationRaw({});
    return { tag: raw.raw.headers.get('ETag'), organization: (await raw.value()).data };
}

// Nine cases for each: three that can be sent (absent, null, a value), on three that can be stored.
for (const [name, body, read, one, other] of NULLABLE) {
    for (const stored of [null, one, other]) {
        for (const sent of [undefined, null, one]) {
            test(`${name}: ${sent} on ${stored}`, async () => {
                await patch(body(stored));
                const before = await readRaw();
                const expected = sent === undefined ? stored : sent;
                assert.equal(read(await patch(body(sent))), expected);
                const after = await readRaw();
                assert.equal(read(after.organization), expected);
                assert.equal(before.tag === after.tag, stored === expected);
            });
        }
    }
}

test('every field is there', async () => {
    const raw = await organizationApi(setting('SDK_KEY_READER')).getOrganizationRaw({});
    const { success, data } = await raw.value();
    assert.equal(success, true);
    assert.equal(data.id, setting('SDK_ORGANIZATION_ID'));
    assert.ok(data.createdAt instanceof Date && !Number.isNaN(data.createdAt.getTime()));
    for (const [field, value] of Object.entries({ ...data, ...data.quietHours, ...data.autoReplies })) {
        assert.notEqual(value, undefined, field);
    }
    assert.match(raw.raw.headers.get('X-Request-Id') ?? '', /^[0-9A-Z]{26}$/);
});

test('entity tags', async () => {
    const api = organizationApi();
    const tag = (await readRaw()).tag ?? '';
    const unchanged = await refusal(api.getOrganization({ ifNoneMatch: tag }));
    assert.deepEqual([unchanged.status, unchanged.headers.get('ETag')], [304, tag]);

    const updateOrganizationRequest = { name: 'Round trip' };
    const changed = await api.patchOrganizationRaw({ updateOrganizationRequest, ifMatch: tag });
    const next = changed.raw.headers.get('ETag');
    assert.notEqual(next, tag);
    assert.equal((await api.getOrganization({ ifNoneMatch: tag })).data.name, 'Round trip');
    const again = await api.patchOrganizationRaw({ updateOrganizationRequest, ifMatch: '*' });
    assert.equal(again.raw.headers.get('ETag'), next, 'nothing changed');

    const lost = api.patchOrganization({ updateOrganizationRequest: { name: 'Lost update' }, ifMatch: tag });
    const outdated = await refusal(lost);
    assert.deepEqual([outdated.status, outdated.body.error.code], [412, ErrorCode.PreconditionFailed]);
    assert.equal((await api.getOrganization()).data.name, 'Round trip');
});

test('a change that is sent again is made once', async () => {
    const api = organizationApi();
    const change = { updateOrganizationRequest: { name: 'Sent twice' }, idempotencyKey: randomUUID() };
    const first = await api.patchOrganizationRaw(change);
    assert.equal(first.raw.headers.get('Idempotent-Replayed'), null);
    await patch({ name: 'Changed since' });
    const again = await api.patchOrganizationRaw(change);
    assert.deepEqual(await again.value(), await first.value());
    assert.equal(again.raw.headers.get('ETag'), first.raw.headers.get('ETag'));
    assert.equal(again.raw.headers.get('Idempotent-Replayed'), 'true');
    assert.equal((await api.getOrganization()).data.name, 'Changed since');
    const other = { ...change, updateOrganizationRequest: { name: 'Another change' } };
    const reused = await refusal(api.patchOrganization(other));
    assert.deepEqual([reused.status, reused.body.error.code], [422, ErrorCode.IdempotencyKeyReused]);
});

test('other fields and blocks', async () => {
    const body = { name: '  Acme  ', messageRetentionDays: 365, mmsRetentionDays: 31 };
    const changed = await patch(body);
    assert.deepEqual([changed.name, changed.messageRetentionDays, changed.mmsRetentionDays], ['Acme', 365, 31]);
    await patch({ quietHours: { enabled: true, start: '20:00', end: '06:30', mode: 'defer' } });
    const { quietHours } = await patch({ quietHours: { enabled: false } });
    assert.deepEqual(quietHours, { enabled: false, start: '20:00', end: '06:30', mode: 'defer' });
});

test('characters are counted and not UTF-16 units or bytes', async () => {
    const text = '\u{1f512}'.repeat(320);
    assert.equal((await patch({ autoReplies: { stopText: text } })).autoReplies.stopText, text);
});

test('auto replies are disabled with an attestation', async () => {
    const refused = await refusal(patch({ autoReplies: { enabled: false } }));
    assert.deepEqual([refused.status, refused.body.error.code], [422, ErrorCode.AttestationRequired]);
    assert.deepEqual(Object.keys(refused.body.error.details), ['auto_replies.attestation']);
    const attestation = 'We answer HELP and STOP ourselves.';
    assert.equal((await patch({ autoReplies: { enabled: false, attestation } })).autoReplies.enabled, false);
    assert.equal((await patch({ autoReplies: { enabled: true } })).autoReplies.enabled, true);
});

async function code(api: ReturnType<typeof organizationApi>, body: UpdateOrganizationRequest) {
    const refused = await refusal(patch(body, api));
    assert.equal(refused.body.error.request_id, refused.headers.get('X-Request-Id'));
    return [refused.status, refused.body.error.code];
}

test('credentials and rules', async () => {
    const unknown = organizationApi(`am_live_${'0'.repeat(34)}`);
    assert.deepEqual(await code(unknown, {}), [401, ErrorCode.Unauthorized]);
    assert.deepEqual(await code(organizationApi(setting('SDK_KEY_READER')), {}), [403, ErrorCode.Forbidden]);
    const unscoped = await refusal(organizationApi(setting('SDK_KEY_WITHOUT_SCOPE')).getOrganization());
    assert.deepEqual([unscoped.status, unscoped.body.error.code], [403, ErrorCode.Forbidden]);
    const personal = organizationApi(setting('SDK_KEY_PERSONAL'));
    assert.deepEqual(await code(personal, { isReseller: true }), [422, ErrorCode.ResellerNotEligible]);
    assert.equal((await patch({ isReseller: true })).isReseller, true);
    assert.deepEqual(await code(organizationApi(), { isReseller: false }), [422, ErrorCode.ResellerHasBrands]);
});

test('null where there is none, and other faults, all at once', async () => {
    const before = (await readRaw()).tag;
    const body: any = { name: null, quietHours: null, messageRetentionDays: 29, autoReplies: { enabled: null } };
    const refused = await refusal(patch(body, organizationApi(setting('SDK_KEY'), DIRECT)));
    assert.deepEqual([refused.status, refused.body.error.code], [422, ErrorCode.ValidationFailed]);
    const { message_retention_days: days, ...nulls } = refused.body.error.details;
    assert.match(days, /30/);
    assert.deepEqual(nulls, {
        name: 'cannot be null',
        quiet_hours: 'cannot be null',
        'auto_replies.enabled': 'cannot be null',
    });
    assert.equal((await readRaw()).tag, before, 'all or nothing');
});

test('a key is created, rotated and revoked', async () => {
    const api = keysApi();
    const made = (await api.createApiKey({ createApiKeyRequest: { label: '  SDK  ', scopes: ['org:read'] } })).data;
    assert.deepEqual([made.label, made.scopes, made.revokedAt], ['SDK', ['org:read'], null]);
    const plaintext = made.plaintext ?? '';
    assert.equal((await organizationApi(plaintext).getOrganization()).data.id, made.orgId);
    const shown = (await api.getApiKey({ id: made.id })).data;
    assert.deepEqual([shown.prefix, 'plaintext' in shown], [plaintext.slice(0, 12), false]);

    const replaced = (await api.rotateApiKey({ id: made.id })).data;
    assert.deepEqual([replaced.label, replaced.scopes], [made.label, made.scopes]);
    assert.equal((await refusal(organizationApi(plaintext).getOrganization())).status, 401);
    const again = await refusal(api.rotateApiKey({ id: made.id }));
    assert.deepEqual([again.status, again.body.error.code], [422, ErrorCode.ApiKeyRevoked]);

    for (const _ of [1, 2]) {
        assert.equal((await api.deleteApiKeyRaw({ id: replaced.id })).raw.status, 204);
    }
    assert.ok((await api.getApiKey({ id: replaced.id })).data.revokedAt instanceof Date);
    const unknown = await refusal(api.createApiKey({ createApiKeyRequest: { label: 'SDK', scopes: ['no:such'] } }));
    assert.deepEqual([unknown.status, unknown.body.error.code], [400, ErrorCode.InvalidInput]);
});

test('a request that is sent again makes no second key', async () => {
    const createApiKeyRequest = { label: 'Sent twice', scopes: ['org:read'] };
    const request = { createApiKeyRequest, idempotencyKey: randomUUID() };
    const made = (await keysApi().createApiKey(request)).data;
    const again = await keysApi().createApiKeyRaw(request);
    const { id, plaintext } = (await again.value()).data;
    assert.deepEqual([id, plaintext], [made.id, null]);
    assert.equal(again.raw.headers.get('Idempotent-Replayed'), 'true');
});

test('keys are listed page by page', async () => {
    const seen = new Set<string>();
    let total = 0;
    for (let cursor: string | null | undefined; cursor !== null; ) {
        const page: { data: { id: string }[]; meta: { total: number; offset: number; nextCursor: string | null } } =
            await keysApi().listApiKeys({ limit: 1, cursor });
        assert.equal(page.meta.offset, seen.size);
        page.data.forEach((key) => seen.add(key.id));
        total = page.meta.total;
        cursor = page.meta.nextCursor;
    }
    assert.equal(seen.size, total);
});

test('what was changed is in the audit log', async () => {
    const before = (await patch({ mmsRetentionDays: 31 })).mmsRetentionDays;
    await patch({ mmsRetentionDays: 32 });
    const hour = 3_600_000;
    const since = new Date(Date.now() - hour);
    const until = new Date(Date.now() + hour);
    const filter = { action: 'retention.update', actorKind: 'customer', include: 'payload' } as const;
    const [entry] = (await auditLogApi().listAuditLog({ ...filter, since, until, limit: 1 })).data;
    assert.deepEqual(entry?.payload?.before, { mms_retention_days: before });
    assert.deepEqual(entry?.payload?.after, { mms_retention_days: 32 });
    assert.deepEqual((await auditLogApi().listAuditLog({ until: since })).data, []);
    assert.equal((await auditLogApi().listAuditLog({ limit: 1 })).data[0]?.payload, undefined);
});
