// Uses the unmodified Go clients: reads, changes and refusals of both APIs.
package main

import (
	"context"
	"fmt"
	"os"

	"agentmessage"
	"tetherrelay"
)

var passed int

func check(holds bool, what string, seen ...any) {
	if !holds {
		fmt.Println("failed:", what, seen)
		os.Exit(1)
	}
	passed++
}

func agentMessage(url string) {
	configuration := agentmessage.NewConfiguration()
	configuration.Servers = agentmessage.ServerConfigurations{{URL: url}}
	client := agentmessage.NewAPIClient(configuration)
	credential := context.WithValue(
		context.Background(), agentmessage.ContextAccessToken, os.Getenv("KEY"))

	change := agentmessage.NewUpdateOrganizationRequest()
	change.SetName("Łódź Health 😀")
	change.SetBillingEmailNil()
	replies := agentmessage.NewAutoRepliesPatch()
	replies.SetHelpText("two\nlines")
	change.SetAutoReplies(*replies)
	changed, response, err := client.OrganizationAPI.PatchOrganization(credential).
		UpdateOrganizationRequest(*change).Execute()
	check(err == nil, "changes the organization", err)
	check(changed.Data.GetName() == "Łódź Health 😀", "has the name", changed)
	_, hasEmail := changed.Data.GetBillingEmailOk()
	check(!hasEmail || changed.Data.GetBillingEmail() == "", "clears the billing email", changed)
	tag := response.Header.Get("ETag")

	read, _, err := client.OrganizationAPI.GetOrganization(credential).Execute()
	check(err == nil && read.Data.AutoReplies.GetHelpText() == "two\nlines", "reads it", err)

	again := agentmessage.NewUpdateOrganizationRequest()
	again.SetMmsRetentionDays(31)
	request := client.OrganizationAPI.PatchOrganization(credential).UpdateOrganizationRequest(*again)
	_, _, err = request.IfMatch(tag).Execute()
	check(err == nil, "changes the version that it has read", err)
	_, response, err = request.IfMatch(tag).Execute()
	check(err != nil && response.StatusCode == 412, "not an older version", err)

	blank := agentmessage.NewUpdateOrganizationRequest()
	blank.SetName(" ")
	_, response, err = client.OrganizationAPI.PatchOrganization(credential).
		UpdateOrganizationRequest(*blank).Execute()
	check(err != nil && response.StatusCode == 422, "a blank name is refused", err)
	refusal, isOpenAPI := err.(*agentmessage.GenericOpenAPIError)
	check(isOpenAPI, "with an error", err)
	body, isError := refusal.Model().(agentmessage.ErrorResponse)
	check(isError && body.Error.Code == agentmessage.VALIDATION_FAILED, "that has its code", err)

	label := agentmessage.NewCreateApiKeyRequest("Kasse à 1", []string{"org:read"})
	key, _, err := client.APIKeysAPI.CreateApiKey(credential).CreateApiKeyRequest(*label).Execute()
	check(err == nil, "creates a key", err)
	_, _, err = client.APIKeysAPI.GetApiKey(credential, key.Data.Id).Execute()
	check(err == nil, "reads a key", err)
	keys, _, err := client.APIKeysAPI.ListApiKeys(credential).Limit(1).Execute()
	check(err == nil && len(keys.Data) == 1, "lists keys", err)
	log, _, err := client.AuditLogAPI.ListAuditLog(credential).Include("payload").Execute()
	check(err == nil && len(log.Data) > 1, "lists the audit log", err)
}

func tether(url string) {
	configuration := tetherrelay.NewConfiguration()
	configuration.Servers = tetherrelay.ServerConfigurations{{URL: url}}
	api := tetherrelay.NewAPIClient(configuration).OrganizationsAPI
	credential := context.WithValue(
		context.Background(), tetherrelay.ContextAccessToken, os.Getenv("TOKEN"))
	organization := os.Getenv("ORGANIZATION")

	change := tetherrelay.NewUpdateMissedCallMessageRequest()
	change.SetMissedCallMessage("Hi 😀")
	stored, _, err := api.PutOrganizationsOrganizationIdMissedCallMessage(credential, organization).
		UpdateMissedCallMessageRequest(*change).Execute()
	check(err == nil && stored.GetMissedCallMessage() == "Hi 😀", "changes the message", err)
	stored, _, err = api.GetOrganizationsOrganizationIdMissedCallMessage(credential, organization).
		Execute()
	check(err == nil && stored.GetMissedCallMessage() == "Hi 😀", "reads the message", err)
}

func main() {
	url := os.Getenv("API_URL")
	agentMessage(url)
	tether(url)
	// Both documents name the server that they come from first.
	check(agentmessage.NewConfiguration().Servers[0].URL == "", "the first server of AgentMessage")
	check(tetherrelay.NewConfiguration().Servers[0].URL == "", "the first server of Tether")
	fmt.Println(passed, "checks passed")
}
