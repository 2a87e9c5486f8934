"""The JSON that models send, in which absent, null and a value differ, and the one error that no
live server shows."""

import json
import unittest

import agentmessage_client as am
import tether_relay_client as tr

BODIES = [
    {},
    {"billing_email": None},
    {"billing_email": "ap@acme.example"},
    {"name": None},
    {"auto_replies": {}},
    {"auto_replies": None},
    {"auto_replies": {"stop_text": None}},
    {"auto_replies": {"stop_text": "Stopped.", "help_text": None}},
    {"quiet_hours": {"enabled": False}, "is_reseller": False},
    {"message_retention_days": 30, "quiet_hours": {"mode": "defer"}},
]


class Models(unittest.TestCase):
    def test_a_dict_comes_out_as_it_went_in(self):
        for body in BODIES:
            with self.subTest(body):
                request = am.UpdateOrganizationRequest.from_dict(body)
                self.assertEqual(json.loads(request.to_json()), body)
                self.assertEqual(
                    am.UpdateOrganizationRequest.from_json(json.dumps(body)).to_dict(), body
                )

    def test_only_what_was_set_is_sent(self):
        request = am.UpdateOrganizationRequest()
        self.assertEqual(request.to_dict(), {})
        request.billing_email = None
        self.assertEqual(request.to_dict(), {"billing_email": None})
        replies = am.AutoRepliesPatch(help_text=None)
        self.assertEqual(
            am.UpdateOrganizationRequest(auto_replies=replies).to_dict(),
            {"auto_replies": {"help_text": None}},
        )

    def test_other_properties_of_the_tether_api_pass(self):
        body = {"missedCallMessage": "", "colour": None}
        self.assertEqual(tr.UpdateMissedCallMessageRequest.from_dict(body).to_dict(), body)
        self.assertEqual(tr.UpdateMissedCallMessageRequest.from_dict({}).to_dict(), {})

    def test_an_unknown_outcome_has_a_code_of_its_own(self):
        error = {
            "code": "OUTCOME_UNKNOWN",
            "message": "the change may have been stored",
            "request_id": "0" * 26,
        }
        decoded = am.ErrorResponse.from_dict({"success": False, "error": error})
        self.assertEqual(decoded.error.code, am.ErrorCode.OUTCOME_UNKNOWN)
        self.assertNotEqual(decoded.error.code, am.ErrorCode.UNAVAILABLE)


if __name__ == "__main__":
    unittest.main()
