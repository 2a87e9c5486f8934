import agentmessage.api.ApiKeysApi;
import agentmessage.api.AuditLogApi;
import agentmessage.api.OrganizationApi;
import agentmessage.model.AutoRepliesPatch;
import agentmessage.model.CreateApiKeyRequest;
import agentmessage.model.UpdateOrganizationRequest;
import java.util.List;
import tetherrelay.api.OrganizationsApi;
import tetherrelay.model.UpdateMissedCallMessageRequest;

/** Uses the unmodified Java clients: reads, changes and refusals of both APIs. */
public class Client {
    private static int passed = 0;

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
        passed++;
    }

    private static void agentMessage(String url) throws Exception {
        var client = new agentmessage.ApiClient();
        client.updateBaseUri(url);
        var credential = "Bearer " + System.getenv("KEY");
        client.setRequestInterceptor(request -> request.header("Authorization", credential));
        var api = new OrganizationApi(client);

        var replies = new AutoRepliesPatch().helpText("two\nlines");
        var change = new UpdateOrganizationRequest().name("Łódź Health 😀").autoReplies(replies);
        var changed = api.patchOrganizationWithHttpInfo(change, null, null);
        check(changed.getData().getData().getName().equals("Łódź Health 😀"), "changes the name");
        var read = api.getOrganization(null).getData();
        check(read.getAutoReplies().getHelpText().equals("two\nlines"), "reads it");

        var tag = changed.getHeaders().get("etag").get(0);
        var days = new UpdateOrganizationRequest().mmsRetentionDays(31);
        api.patchOrganization(days, tag, null);
        refused(412, "an older version", () -> api.patchOrganization(days, tag, null));
        var blank = new UpdateOrganizationRequest().name(" ");
        refused(422, "a blank name", () -> api.patchOrganization(blank, null, null));

        var keys = new ApiKeysApi(client);
        var label = new CreateApiKeyRequest().label("Kasse à 1").scopes(List.of("org:read"));
        var key = keys.createApiKey(label, null).getData();
        var shown = keys.getApiKey(key.getId()).getData();
        check(shown.getLabel().equals("Kasse à 1"), "creates and reads a key");
        check(keys.listApiKeys(null, 1, true).getData().size() == 1, "lists keys");
        var log = new AuditLogApi(client);
        var page = log.listAuditLog(null, 5, "api_key.create", null, null, null, null, null, null);
        check(page.getData().size() > 0, "lists the audit log");
    }

    private static void tether(String url) throws Exception {
        var client = new tetherrelay.ApiClient();
        client.updateBaseUri(url);
        var credential = "Bearer " + System.getenv("TOKEN");
        client.setRequestInterceptor(request -> request.header("Authorization", credential));
        var api = new OrganizationsApi(client);
        var organization = System.getenv("ORGANIZATION");
        var change = new UpdateMissedCallMessageRequest().missedCallMessage("Hi 😀");
        api.putOrganizationsOrganizationIdMissedCallMessage(organization, change, null);
        var read = api.getOrganizationsOrganizationIdMissedCallMessage(organization);
        check(read.getMissedCallMessage().equals("Hi 😀"), "changes and reads the message");
    }

    private interface Call {
        void run() throws agentmessage.ApiException;
    }

    private static void refused(int status, String what, Call call) {
        try {
            call.run();
        } catch (agentmessage.ApiException refusal) {
            check(refusal.getCode() == status, what + ": " + refusal.getCode());
            return;
        }
        throw new AssertionError(what + " was accepted");
    }

    public static void main(String[] arguments) throws Exception {
        var url = System.getenv("API_URL");
        agentMessage(url);
        tether(url);
        System.out.println(passed + " checks passed");
    }
}
