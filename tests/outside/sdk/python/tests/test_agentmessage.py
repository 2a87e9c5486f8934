"""The AgentMessage client against a live server: every operation, every nullable field, every error
it can meet."""

import itertools
import json
import os
import unittest
import uuid
from datetime import datetime, timedelta, timezone

import agentmessage_client as am
import urllib3
from settings import DIRECT, KEY, audit_log_api, keys_api, organization_api, patch

# The nullable fields, and two values for each.
NULLABLE = {
    "billing_email": ("one@acme.example", "two@acme.example"),
    "auto_replies.stop_text": ("Stopped.", "You are out."),
    "auto_replies.help_text": ("Call us.", "Write to us."),
    "auto_replies.start_text": ("Started.", "You are in."),
}
ABSENT = object()


def body_with(path, value):
    """A request with one field, which may be in a block; ABSENT leaves it out."""
    block, _, field = path.rpartition(".")
    inner = {} if value is ABSENT else {field: value}
    return {block: inner} if block else inner


def value_at(organization, path):
    for name in path.split("."):
        organization = getattr(organization, name)
    return organization


def code(raised):
    return raised.exception.data.error.code


class Reading(unittest.TestCase):
    def test_every_field_is_there(self):
        response = organization_api(os.environ["SDK_KEY_READER"]).get_organization_with_http_info()
        organization = response.data.data
        self.assertTrue(response.data.success)
        self.assertEqual(str(organization.id), os.environ["SDK_ORGANIZATION_ID"])
        self.assertEqual(set(am.Organization.model_fields), organization.model_fields_set)
        self.assertEqual(len(response.headers["X-Request-Id"]), 26)

    def test_entity_tags(self):
        api = organization_api()
        read = api.get_organization_with_http_info()
        tag = read.headers["ETag"]
        with self.assertRaises(am.ApiException) as unchanged:
            api.get_organization(if_none_match=tag)
        self.assertEqual(
            (unchanged.exception.status, unchanged.exception.headers["ETag"]), (304, tag)
        )

        request = am.UpdateOrganizationRequest(name="Round trip")
        changed = api.patch_organization_with_http_info(request, if_match=tag)
        self.assertEqual(changed.data.data.name, "Round trip")
        self.assertNotEqual(changed.headers["ETag"], tag)
        self.assertEqual(api.get_organization_with_http_info(if_none_match=tag).status_code, 200)
        again = api.patch_organization_with_http_info(request, if_match="*")
        self.assertEqual(again.headers["ETag"], changed.headers["ETag"], "nothing changed")

        with self.assertRaises(am.ApiException) as outdated:
            api.patch_organization(am.UpdateOrganizationRequest(name="Lost update"), if_match=tag)
        self.assertEqual((outdated.exception.status, code(outdated)), (412, "PRECONDITION_FAILED"))
        self.assertEqual(api.get_organization().data.name, "Round trip")


class Changing(unittest.TestCase):
    def test_absent_null_and_value(self):
        """Nine cases for each nullable field: three that can be sent, on three that can be
        stored."""
        for path, (one, other) in NULLABLE.items():
            for stored, sent in itertools.product((None, one, other), (ABSENT, None, one)):
                with self.subTest(
                    path=path, stored=stored, sent="absent" if sent is ABSENT else sent
                ):
                    patch(body_with(path, stored))
                    before = organization_api().get_organization_with_http_info()
                    expected = stored if sent is ABSENT else sent
                    self.assertEqual(value_at(patch(body_with(path, sent)), path), expected)
                    after = organization_api().get_organization_with_http_info()
                    self.assertEqual(value_at(after.data.data, path), expected)
                    same = before.headers["ETag"] == after.headers["ETag"]
                    self.assertEqual(same, stored == expected)

    def test_other_fields(self):
        body = {"name": "  Acme  ", "message_retention_days": 365, "mms_retention_days": 31}
        changed = patch(body)
        self.assertEqual(
            (changed.name, changed.message_retention_days, changed.mms_retention_days),
            ("Acme", 365, 31),
        )

    def test_blocks_are_merged(self):
        patch({"quiet_hours": {"enabled": True, "start": "20:00", "end": "06:30", "mode": "defer"}})
        hours = patch({"quiet_hours": {"enabled": False}}).quiet_hours
        self.assertEqual(
            (hours.enabled, hours.start, hours.end, hours.mode), (False, "20:00", "06:30", "defer")
        )

    def test_a_change_that_is_sent_again_is_made_once(self):
        api, key = organization_api(), str(uuid.uuid4())
        request = am.UpdateOrganizationRequest(name="Sent twice")
        first = api.patch_organization_with_http_info(request, idempotency_key=key)
        self.assertNotIn("Idempotent-Replayed", first.headers)
        patch({"name": "Changed since"})
        again = api.patch_organization_with_http_info(request, idempotency_key=key)
        self.assertEqual((again.data, again.headers["ETag"]), (first.data, first.headers["ETag"]))
        self.assertEqual(again.headers["Idempotent-Replayed"], "true")
        self.assertEqual(api.get_organization().data.name, "Changed since")
        with self.assertRaises(am.ApiException) as reused:
            patch({"name": "Another change"}, idempotency_key=key)
        self.assertEqual((reused.exception.status, code(reused)), (422, "IDEMPOTENCY_KEY_REUSED"))

    def test_auto_replies_are_disabled_with_an_attestation(self):
        with self.assertRaises(am.ApiException) as refused:
            patch({"auto_replies": {"enabled": False}})
        self.assertEqual((refused.exception.status, code(refused)), (422, "ATTESTATION_REQUIRED"))
        self.assertEqual(list(refused.exception.data.error.details), ["auto_replies.attestation"])
        attestation = "We answer HELP and STOP ourselves."
        self.assertFalse(
            patch(
                {"auto_replies": {"enabled": False, "attestation": attestation}}
            ).auto_replies.enabled
        )
        self.assertTrue(patch({"auto_replies": {"enabled": True}}).auto_replies.enabled)

    def test_characters_are_counted_and_not_bytes(self):
        text = "\U0001f512" * 320
        self.assertEqual(patch({"auto_replies": {"stop_text": text}}).auto_replies.stop_text, text)
        name = "\U0001f512" * 200
        self.assertEqual(patch({"name": name}).name, name)


class Refusals(unittest.TestCase):
    def refused(self, api, body, status, expected):
        """The details of a refusal, whose status and code are checked."""
        with self.assertRaises(am.ApiException) as raised:
            patch(body, api)
        self.assertEqual((raised.exception.status, code(raised)), (status, expected))
        error = raised.exception.data.error
        self.assertEqual(error.request_id, raised.exception.headers["X-Request-Id"])
        return error.details or {}

    def test_credentials(self):
        unknown = organization_api("am_live_" + "0" * 34)
        self.refused(unknown, {}, 401, "UNAUTHORIZED")
        self.refused(organization_api(os.environ["SDK_KEY_READER"]), {}, 403, "FORBIDDEN")
        with self.assertRaises(am.ApiException) as raised:
            organization_api(os.environ["SDK_KEY_WITHOUT_SCOPE"]).get_organization()
        self.assertEqual((raised.exception.status, code(raised)), (403, "FORBIDDEN"))

    def test_rules(self):
        personal = organization_api(os.environ["SDK_KEY_PERSONAL"])
        self.refused(personal, {"is_reseller": True}, 422, "RESELLER_NOT_ELIGIBLE")
        self.assertTrue(patch({"is_reseller": True}).is_reseller)
        self.refused(organization_api(), {"is_reseller": False}, 422, "RESELLER_HAS_BRANDS")
        same = {"quiet_hours": {"start": "09:00", "end": "09:00"}}
        self.assertEqual(
            list(self.refused(organization_api(), same, 422, "VALIDATION_FAILED")),
            ["quiet_hours.end"],
        )

    def test_null_where_there_is_none(self):
        direct = organization_api(url=DIRECT)
        fields = [
            "name",
            "message_retention_days",
            "mms_retention_days",
            "is_reseller",
            "quiet_hours",
            "auto_replies",
        ]
        details = self.refused(direct, dict.fromkeys(fields), 422, "VALIDATION_FAILED")
        self.assertEqual(details, dict.fromkeys(fields, "cannot be null"))
        inner = {"quiet_hours": dict.fromkeys(["enabled", "start", "end", "mode"])}
        details = self.refused(direct, inner, 422, "VALIDATION_FAILED")
        self.assertEqual(
            details, {f"quiet_hours.{name}": "cannot be null" for name in inner["quiet_hours"]}
        )

    def test_all_faults_at_once(self):
        before = organization_api().get_organization().data
        request = am.UpdateOrganizationRequest(
            mms_retention_days=77,
            auto_replies=am.AutoRepliesPatch.model_construct(
                stop_text="\U0001f512" * 321, help_text=" "
            ),
        )
        request.__dict__["message_retention_days"] = 29
        request.model_fields_set.add("message_retention_days")
        with self.assertRaises(am.ApiException) as raised:
            organization_api(url=DIRECT).patch_organization(request)
        self.assertEqual(code(raised), "VALIDATION_FAILED")
        faults = {"message_retention_days", "auto_replies.stop_text", "auto_replies.help_text"}
        self.assertEqual(set(raised.exception.data.error.details), faults)
        self.assertEqual(organization_api().get_organization().data, before, "all or nothing")


class Keys(unittest.TestCase):
    def test_a_key_is_created_rotated_and_revoked(self):
        api = keys_api()
        made = api.create_api_key(am.CreateApiKeyRequest(label="  SDK  ", scopes=["org:read"])).data
        self.assertEqual((made.label, made.scopes, made.revoked_at), ("SDK", ["org:read"], None))
        self.assertEqual(organization_api(made.plaintext).get_organization().data.id, made.org_id)
        shown = api.get_api_key(made.id).data
        self.assertEqual((shown.id, shown.prefix), (made.id, made.plaintext[:12]))
        self.assertFalse(hasattr(shown, "plaintext"))

        replaced = api.rotate_api_key(made.id).data
        self.assertEqual((replaced.label, replaced.scopes), (made.label, made.scopes))
        with self.assertRaises(am.ApiException) as dead:
            organization_api(made.plaintext).get_organization()
        self.assertEqual((dead.exception.status, code(dead)), (401, "UNAUTHORIZED"))
        with self.assertRaises(am.ApiException) as revoked:
            api.rotate_api_key(made.id)
        self.assertEqual((revoked.exception.status, code(revoked)), (422, "API_KEY_REVOKED"))

        for _ in range(2):
            self.assertEqual(api.delete_api_key_with_http_info(replaced.id).status_code, 204)
        self.assertIsNotNone(api.get_api_key(replaced.id).data.revoked_at)

    def test_a_request_that_is_sent_again_makes_no_second_key(self):
        api, key = keys_api(), str(uuid.uuid4())
        request = am.CreateApiKeyRequest(label="Sent twice", scopes=["org:read"])
        made = api.create_api_key(request, idempotency_key=key).data
        again = api.create_api_key_with_http_info(request, idempotency_key=key)
        self.assertEqual((again.data.data.id, again.data.data.plaintext), (made.id, None))
        self.assertEqual(again.headers["Idempotent-Replayed"], "true")

    def test_what_is_refused(self):
        api = keys_api()
        for scopes, expected in (
            (["no:such"], (400, "INVALID_INPUT")),
            (["billing:write"], (403, "FORBIDDEN")),
        ):
            with self.subTest(scopes), self.assertRaises(am.ApiException) as raised:
                api.create_api_key(am.CreateApiKeyRequest(label="SDK", scopes=scopes))
            self.assertEqual((raised.exception.status, code(raised)), expected)
        with self.assertRaises(am.ApiException) as unknown:
            api.get_api_key(uuid.uuid4())
        self.assertEqual((unknown.exception.status, code(unknown)), (404, "NOT_FOUND"))

    def test_pages(self):
        api, seen, cursor = keys_api(), [], None
        while True:
            page = api.list_api_keys(limit=1, cursor=cursor)
            self.assertEqual((page.meta.limit, page.meta.offset), (1, len(seen)))
            seen += [key.id for key in page.data]
            cursor = page.meta.next_cursor
            if cursor is None:
                break
        self.assertEqual(len(set(seen)), page.meta.total)
        with self.assertRaises(am.ApiException) as raised:
            api.list_api_keys(cursor="x")
        self.assertEqual(raised.exception.status, 422)
        self.assertEqual(list(raised.exception.data.error.details), ["cursor"])


class AuditLog(unittest.TestCase):
    def test_what_was_changed_is_listed(self):
        before = patch({"mms_retention_days": 31}).mms_retention_days
        patch({"mms_retention_days": 32})
        hour = timedelta(hours=1)
        now = datetime.now(timezone(hour))
        page = audit_log_api().list_audit_log(
            action="retention.update",
            actor_kind="customer",
            since=now - hour,
            until=now + hour,
            include="payload",
            limit=1,
        )
        entry = page.data[0]
        self.assertEqual(
            (entry.action, entry.resource.type, entry.actor.kind),
            ("retention.update", "organization", "customer"),
        )
        self.assertEqual(entry.payload.before, {"mms_retention_days": before})
        self.assertEqual(entry.payload.after, {"mms_retention_days": 32})
        self.assertEqual(audit_log_api().list_audit_log(until=now - hour).data, [])
        self.assertIsNone(audit_log_api().list_audit_log(limit=1).data[0].payload)


class RawRequests(unittest.TestCase):
    """Requests that no client sends, and the server's own responses to them."""

    def send(self, method, body=None, **headers):
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"} | headers
        response = urllib3.request(method, f"{DIRECT}/v1/organization", body=body, headers=headers)
        error = am.ErrorResponse.from_dict(response.json()).error
        self.assertEqual(error.request_id, response.headers["X-Request-Id"])
        return response, (response.status, error.code.value)

    def test_structure(self):
        for body in (
            b"",
            b"{",
            b"[]",
            b"null",
            b'{"name": "a", "name": "b"}',
            b"[" * 40 + b"]" * 40,
            b'"\xff"',
        ):
            with self.subTest(body):
                self.assertEqual(self.send("PATCH", body)[1], (400, "INVALID_INPUT"))

    def test_media_type_and_size(self):
        _, answer = self.send("PATCH", b"{}", **{"Content-Type": "text/plain"})
        self.assertEqual(answer, (415, "UNSUPPORTED_MEDIA_TYPE"))
        large = json.dumps({"name": "x" * 70000}).encode()
        self.assertEqual(self.send("PATCH", large)[1], (413, "PAYLOAD_TOO_LARGE"))

    def test_methods(self):
        for method in ("PUT", "POST", "DELETE", "TRACE"):
            with self.subTest(method):
                response, answer = self.send(method)
                self.assertEqual(answer, (405, "METHOD_NOT_ALLOWED"))
                self.assertEqual(response.headers["Allow"], "GET, PATCH")

    def test_fields_that_cannot_be_sent(self):
        body = {
            "id": "x",
            "plan": "free",
            "throughput_tier": 3,
            "colour": "red",
            "quiet_hours": {"colour": 1},
        }
        response, answer = self.send("PATCH", json.dumps(body).encode())
        self.assertEqual(answer, (422, "VALIDATION_FAILED"))
        self.assertEqual(
            response.json()["error"]["details"],
            {
                "id": "is read-only",
                "plan": "is read-only",
                "throughput_tier": "is read-only",
                "colour": "unknown field",
                "quiet_hours.colour": "unknown field",
            },
        )

    def test_a_credential_is_needed_first(self):
        for value in ("", "Bearer", "Basic eDp5", f"Token {KEY}"):
            with self.subTest(value):
                response, answer = self.send("PATCH", b"{", Authorization=value)
                self.assertEqual(answer, (401, "UNAUTHORIZED"))
                self.assertEqual(response.headers["WWW-Authenticate"], "Bearer")


if __name__ == "__main__":
    unittest.main()
