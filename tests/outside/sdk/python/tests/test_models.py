"""What the models send: absent, null and value are three things."""

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


if __name__ == "__main__":
    unittest.main()
