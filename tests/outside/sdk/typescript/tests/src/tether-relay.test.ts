// The Tether client against a live server: both operations, what may be sent, every error it can meet.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { type UpdateMissedCallMessageRequest } from 'tether-relay-client';
import { DIRECT, missedCallApi, refusal, setting } from './settings';

const ORGANIZATION = setting('SDK_ORGANIZATION_ID');
const NOBODY = '0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3';

function get(api = missedCallApi(), organizationId = ORGANIZATION) {
    return api.getOrganizationsOrganizationIdMissedCallMessage({ organizationId });
}

function put(body: UpdateMissedCallMessageRequest, api = missedCallApi(), organizationId = ORGANIZATION) {
    return api.putOrganizationsOrganizationIdMissedCallMessage({ organizationId, updateMissedCallMessageRequest: body });
}

// What can be sent, on what can be stored; the empty string clears.
for (const stored of [null, 'Call {{contactName}}', 'Other']) {
    for (const sent of [undefined, '', 'Call {{contactName}}']) {
        test(`missedCallMessage: ${JSON.stringify(sent)} on ${stored}`, async () => {
            await put({ missedCallMessage: stored ?? '' });
            const expected = (sent === undefined ? stored : sent) || null;
            assert.equal((await put({ missedCallMessage: sent })).missedCallMessage, expected);
            assert.equal((await get()).missedCallMessage, expected);
        });
    }
}

test('the toggle keeps the template, and both identifiers lead to it', async () => {
    await put({ missedCallMessage: 'Kept', missedCallAutoMessageEnabled: true });
    const kept = { missedCallMessage: 'Kept', missedCallAutoMessageEnabled: false };
    assert.deepEqual(await put({ missedCallAutoMessageEnabled: false, colour: 'ignored' }), kept);
    const superadmin = missedCallApi(setting('SDK_TOKEN_SUPERADMIN'));
    assert.deepEqual(await get(superadmin, setting('SDK_EXTERNAL_ID')), kept);
});

test('a change that is sent again is made once', async () => {
    const updateMissedCallMessageRequest = { missedCallMessage: 'Sent twice' };
    const change = { organizationId: ORGANIZATION, updateMissedCallMessageRequest, idempotencyKey: randomUUID() };
    const api = missedCallApi();
    const first = await api.putOrganizationsOrganizationIdMissedCallMessageRaw(change);
    assert.equal(first.raw.headers.get('Idempotent-Replayed'), null);
    await put({ missedCallMessage: 'Changed since' });
    const again = await api.putOrganizationsOrganizationIdMissedCallMessageRaw(change);
    assert.deepEqual(await again.value(), await first.value());
    assert.equal(again.raw.headers.get('Idempotent-Replayed'), 'true');
    assert.equal((await get()).missedCallMessage, 'Changed since');
});

test('callers', async () => {
    const superadmin = missedCallApi(setting('SDK_TOKEN_SUPERADMIN'));
    const cases: [ReturnType<typeof missedCallApi>, string, number, string][] = [
        [missedCallApi('no.such.token'), ORGANIZATION, 401, 'Invalid or expired token'],
        [missedCallApi(setting('SDK_TOKEN_SALES_REP')), ORGANIZATION, 403, 'Forbidden'],
        [missedCallApi(), NOBODY, 403, 'Forbidden'],
        [superadmin, NOBODY, 404, 'Organization not found'],
    ];
    for (const [api, organizationId, status, error] of cases) {
        for (const call of [() => get(api, organizationId), () => put({}, api, organizationId)]) {
            const refused = await refusal(call());
            assert.deepEqual([refused.status, refused.body.error], [status, error]);
        }
    }
});

test('validation', async () => {
    const direct = missedCallApi(setting('SDK_TOKEN_ADMIN'), DIRECT);
    const bodies: any[] = [{ missedCallMessage: null }, { missedCallMessage: 'x'.repeat(501) }, { missedCallMessage: 1 }];
    for (const body of bodies) {
        const refused = await refusal(put(body, direct));
        assert.deepEqual([refused.status, refused.body.error], [400, 'Validation error']);
        assert.match(refused.body.details, /^missedCallMessage: /);
    }
});
