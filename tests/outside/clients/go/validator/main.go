// Validates both documents, and requests and responses of a live server, with kin-openapi.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Request, the status of its response, and the validator's verdict on it.
type example struct {
	method, path, body string
	status             int
	isValid            bool
}

const (
	organization = "/v1/organization"
	missedCall   = "/api/organizations/{id}/missed-call-message"
	unknownKey   = "/v1/api-keys/0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3"
)

var agentMessage = []example{
	{"GET", organization, "", 200, true},
	{"PATCH", organization, `{"name":"Łódź 😀","billing_email":"a.b@acme.example"}`, 200, true},
	{"PATCH", organization, `{"billing_email":null,"quiet_hours":{"start":"21:00"}}`, 200, true},
	{"PATCH", organization, `{"billing_email":"nobody"}`, 422, false},
	{"PATCH", organization, `{"quiet_hours":{"start":"25:00"}}`, 422, false},
	// A rule in words, for the server alone.
	{"PATCH", organization, `{"name":" "}`, 422, true},
	{"POST", "/v1/api-keys", `{"label":"Kasse à 1","scopes":["org:read"]}`, 201, true},
	{"GET", "/v1/api-keys?limit=5", "", 200, true},
	{"GET", "/v1/api-keys?limit=0", "", 422, false},
	{"GET", unknownKey, "", 404, true},
	{"GET", "/v1/api-keys/x", "", 400, false},
	{"GET", "/v1/audit-log?since=2026-01-01T00:00:00Z&action=api_key.create", "", 200, true},
	{"GET", "/v1/audit-log?since=today", "", 422, false},
}

var tether = []example{
	{"PUT", missedCall, `{"missedCallMessage":"Hi 😀"}`, 200, true},
	{"PUT", missedCall, `{"missedCallMessage":5}`, 400, false},
	{"GET", missedCall, "", 200, true},
}

func main() {
	failed := 0
	for _, api := range []struct {
		document, credential string
		examples             []example
	}{
		{os.Args[1], os.Getenv("KEY"), agentMessage},
		{os.Args[2], os.Getenv("TOKEN"), tether},
	} {
		router, err := load(api.document)
		if err != nil {
			fmt.Printf("%s: %v\n", api.document, err)
			failed++
			continue
		}
		for _, one := range api.examples {
			if err := check(router, api.credential, one); err != nil {
				fmt.Printf("%s %s %s: %v\n", one.method, one.path, one.body, err)
				failed++
			}
		}
	}
	fmt.Printf("%d examples, %d failed\n", len(agentMessage)+len(tether), failed)
	if failed > 0 {
		os.Exit(1)
	}
}

// load reads a document of OpenAPI 3.0 and validates it, its patterns and examples included.
func load(path string) (routers.Router, error) {
	document, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		return nil, err
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(document)
}

func check(router routers.Router, credential string, one example) error {
	path := strings.Replace(one.path, "{id}", os.Getenv("ORGANIZATION"), 1)
	request, err := http.NewRequest(one.method, os.Getenv("API_URL")+path, strings.NewReader(one.body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+credential)
	if one.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	route, parameters, err := router.FindRoute(request)
	if err != nil {
		return err
	}
	input := &openapi3filter.RequestValidationInput{
		Request:    request,
		PathParams: parameters,
		Route:      route,
		Options:    &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	err = openapi3filter.ValidateRequest(context.Background(), input)
	if (err == nil) != one.isValid {
		return fmt.Errorf("verdict on the request: %v", err)
	}
	request.Body = io.NopCloser(strings.NewReader(one.body))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != one.status {
		return fmt.Errorf("status %d: %s", response.StatusCode, body)
	}
	output := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 response.StatusCode,
		Header:                 response.Header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	}
	return openapi3filter.ValidateResponse(context.Background(), output)
}
