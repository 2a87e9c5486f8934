"""Where the server is and who may do what: the environment that sdk/run.py sets."""

import os

import agentmessage_client as am
import tether_relay_client as tr

KEY = os.environ["SDK_KEY"]
# Through prism, which fails what breaks the spec; for requests that keep to it.
AGENTMESSAGE = os.environ["SDK_AGENTMESSAGE_URL"]
TETHER = os.environ["SDK_TETHER_RELAY_URL"]
# To the server itself; for requests that break the spec on purpose.
DIRECT = os.environ["SDK_DIRECT_URL"]


def organization_api(key=KEY, url=AGENTMESSAGE):
    """A client of the AgentMessage API."""
    return am.OrganizationApi(am.ApiClient(am.Configuration(host=url, access_token=key)))


def keys_api(key=KEY, url=AGENTMESSAGE):
    """A client of the AgentMessage API for keys."""
    return am.APIKeysApi(am.ApiClient(am.Configuration(host=url, access_token=key)))


def audit_log_api(key=KEY, url=AGENTMESSAGE):
    """A client of the AgentMessage API for the audit log."""
    return am.AuditLogApi(am.ApiClient(am.Configuration(host=url, access_token=key)))


def missed_call_api(token=os.environ["SDK_TOKEN_ADMIN"], url=TETHER):
    """A client of the Tether API."""
    return tr.OrganizationsApi(tr.ApiClient(tr.Configuration(host=url, access_token=token)))


def patch(body, api=None, **options):
    """PATCH with a dict as the body; returns the organization."""
    request = am.UpdateOrganizationRequest.from_dict(body)
    return (api or organization_api()).patch_organization(request, **options).data
