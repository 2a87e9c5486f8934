//! The rate-limit headers of responses in the specs.

use serde_json::Value;

use crate::support::spec;

/// Returns every operation of both specs, with its spec.
fn operations() -> Vec<(&'static Value, &'static Value)> {
    let mut operations = Vec::new();
    for spec in [&*spec::AGENT_MESSAGE, &*spec::TETHER] {
        let items = spec["paths"].as_object().unwrap().values();
        let all = items.flat_map(|item| item.as_object().unwrap().values());
        let all = all.filter(|operation| operation["responses"].is_object());
        operations.extend(all.map(|operation| (spec, operation)));
    }
    operations
}

#[test]
fn every_response_of_an_operation_may_have_the_rate_limit_headers() {
    assert!(operations().len() >= 4);
    for (spec, operation) in operations() {
        let id = &operation["operationId"];
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("429"), "{id}");
        for (status, response) in responses {
            let headers = &spec::resolve(spec, response)["headers"];
            let declared = ["RateLimit-Policy", "RateLimit"].map(|name| headers[name].is_object());
            // A 405 does not belong to an operation and does not count.
            assert_eq!(declared, [status != "405"; 2], "{id} {status}");
        }
    }
}
