// Where the server is and who may do what: the environment that sdk/run.py sets.

import assert from 'node:assert/strict';
import * as am from 'agentmessage-client';
import * as tr from 'tether-relay-client';

export function setting(name: string): string {
    const value = process.env[name];
    assert.ok(value, `${name} is not set`);
    return value;
}

// Through prism, which fails what breaks the spec; for requests that keep to it.
const AGENTMESSAGE = setting('SDK_AGENTMESSAGE_URL');
const TETHER = setting('SDK_TETHER_RELAY_URL');
// To the server itself; for requests that break the spec on purpose.
export const DIRECT = setting('SDK_DIRECT_URL');

export function organizationApi(key = setting('SDK_KEY'), basePath = AGENTMESSAGE): am.OrganizationApi {
    return new am.OrganizationApi(new am.Configuration({ basePath, accessToken: key }));
}

export function keysApi(key = setting('SDK_KEY'), basePath = AGENTMESSAGE): am.APIKeysApi {
    return new am.APIKeysApi(new am.Configuration({ basePath, accessToken: key }));
}

export function auditLogApi(key = setting('SDK_KEY'), basePath = AGENTMESSAGE): am.AuditLogApi {
    return new am.AuditLogApi(new am.Configuration({ basePath, accessToken: key }));
}

export function missedCallApi(token = setting('SDK_TOKEN_ADMIN'), basePath = TETHER): tr.OrganizationsApi {
    return new tr.OrganizationsApi(new tr.Configuration({ basePath, accessToken: token }));
}

/** PATCH; returns the organization. */
export async function patch(
    updateOrganizationRequest: am.UpdateOrganizationRequest,
    api = organizationApi(),
): Promise<am.Organization> {
    return (await api.patchOrganization({ updateOrganizationRequest })).data;
}

/** What a failing call was answered with. */
export async function refusal(call: Promise<unknown>): Promise<{ status: number; headers: Headers; body: any }> {
    try {
        await call;
    } catch (error) {
        const response = (error as { response?: Response }).response;
        if (response === undefined) {
            throw error;
        }
        const text = await response.text();
        return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
    }
    throw new assert.AssertionError({ message: 'it was not refused' });
}
