"""The Tether client against a live server: both operations, what may be sent, every error it can
meet."""

import itertools
import os
import unittest
import uuid

import tether_relay_client as tr
import urllib3
from settings import DIRECT, missed_call_api

ORGANIZATION = os.environ["SDK_ORGANIZATION_ID"]
EXTERNAL = os.environ["SDK_EXTERNAL_ID"]
SUPERADMIN = os.environ["SDK_TOKEN_SUPERADMIN"]
NOBODY = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3"


def get(api=None, organization=ORGANIZATION):
    return (api or missed_call_api()).get_organizations_organization_id_missed_call_message(
        organization
    )


def put(body, api=None, organization=ORGANIZATION):
    request = tr.UpdateMissedCallMessageRequest.from_dict(body)
    return (api or missed_call_api()).put_organizations_organization_id_missed_call_message(
        organization, request
    )


class MissedCallMessage(unittest.TestCase):
    def test_absent_empty_and_value(self):
        """Every value that can be sent, on every stored value. The empty string clears."""
        sent = ({}, {"missedCallMessage": ""}, {"missedCallMessage": "Call {{contactName}}"})
        for stored, body in itertools.product((None, "Call {{contactName}}", "Other"), sent):
            with self.subTest(stored=stored, sent=body):
                put({"missedCallMessage": stored or ""})
                expected = body.get("missedCallMessage", stored) or None
                self.assertEqual(put(body).missed_call_message, expected)
                self.assertEqual(get().missed_call_message, expected)

    def test_the_toggle_keeps_the_template(self):
        put({"missedCallMessage": "Kept", "missedCallAutoMessageEnabled": True})
        answer = put({"missedCallAutoMessageEnabled": False, "colour": "ignored"})
        self.assertEqual(
            answer.to_dict(), {"missedCallMessage": "Kept", "missedCallAutoMessageEnabled": False}
        )

    def test_a_change_that_is_sent_again_is_made_once(self):
        key, request = (
            str(uuid.uuid4()),
            tr.UpdateMissedCallMessageRequest(missed_call_message="Sent twice"),
        )
        send = (
            missed_call_api().put_organizations_organization_id_missed_call_message_with_http_info
        )
        first = send(ORGANIZATION, request, idempotency_key=key)
        self.assertNotIn("Idempotent-Replayed", first.headers)
        put({"missedCallMessage": "Changed since"})
        again = send(ORGANIZATION, request, idempotency_key=key)
        self.assertEqual((again.data, again.headers["Idempotent-Replayed"]), (first.data, "true"))
        self.assertEqual(get().missed_call_message, "Changed since")

    def test_both_identifiers_and_both_roles(self):
        put({"missedCallMessage": "Same"})
        for api, organization in itertools.product(
            (None, missed_call_api(SUPERADMIN)), (ORGANIZATION, EXTERNAL)
        ):
            with self.subTest(organization=organization):
                self.assertEqual(get(api, organization).missed_call_message, "Same")

    def test_characters_are_counted_and_not_bytes(self):
        text = "\U0001f512" * 500
        self.assertEqual(put({"missedCallMessage": text}).missed_call_message, text)


class Refusals(unittest.TestCase):
    def refused(self, call, status, error):
        with self.assertRaises(tr.ApiException) as raised:
            call()
        self.assertEqual(raised.exception.status, status)
        self.assertEqual(raised.exception.data.error, error)
        self.assertEqual(len(raised.exception.headers["X-Request-Id"]), 26)
        return raised.exception.data.details

    def test_callers(self):
        stranger = missed_call_api("no.such.token")
        sales = missed_call_api(os.environ["SDK_TOKEN_SALES_REP"])
        for call in (get, lambda api, organization=ORGANIZATION: put({}, api, organization)):
            self.refused(lambda: call(stranger), 401, "Invalid or expired token")
            self.refused(lambda: call(sales), 403, "Forbidden")
            self.refused(lambda: call(missed_call_api(), NOBODY), 403, "Forbidden")
            self.refused(
                lambda: call(missed_call_api(SUPERADMIN), NOBODY), 404, "Organization not found"
            )

    def test_validation(self):
        direct = missed_call_api(url=DIRECT)
        details = self.refused(
            lambda: put({"missedCallMessage": None, "missedCallAutoMessageEnabled": None}, direct),
            400,
            "Validation error",
        )
        self.assertEqual(
            set(details.split("; ")),
            {"missedCallMessage: cannot be null", "missedCallAutoMessageEnabled: cannot be null"},
        )

    def test_one_character_too_many(self):
        request = tr.UpdateMissedCallMessageRequest.model_construct(
            missed_call_message="\U0001f512" * 501
        )
        api = missed_call_api(url=DIRECT)
        self.refused(
            lambda: api.put_organizations_organization_id_missed_call_message(
                ORGANIZATION, request
            ),
            400,
            "Validation error",
        )

    def test_methods(self):
        url = f"{DIRECT}/api/organizations/{ORGANIZATION}/missed-call-message"
        token = {"Authorization": f"Bearer {SUPERADMIN}"}
        response = urllib3.request("DELETE", url, headers=token)
        self.assertEqual((response.status, response.headers["Allow"]), (405, "GET, PUT"))
        self.assertEqual(response.json()["error"], "Method not allowed")


if __name__ == "__main__":
    unittest.main()
