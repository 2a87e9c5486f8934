//! The settings of limits, trusted proxies and origins.

use std::num::NonZeroU32;

use super::{with_toml, with_variables};
use crate::limits::LimitSettings;

/// The limits in the order of the settings, with 0 for none.
pub(super) fn quotas(limits: &LimitSettings) -> [u32; 4] {
    let all = [
        limits.credential_requests,
        limits.organization_requests,
        limits.address_requests,
        limits.address_failures,
    ];
    all.map(|limit| limit.map_or(0, NonZeroU32::get))
}

pub(super) fn networks(limits: &LimitSettings) -> Vec<String> {
    let networks = limits.trusted_proxies.iter();
    networks.map(ToString::to_string).collect()
}

fn only_problem(variable: &str, value: &str) -> String {
    let mut problems = with_variables(&[(variable, value)]).expect_err("the value is unfit");
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = problems.remove(0);
    assert!(problem.starts_with(&format!("{variable}: ")), "{problem}");
    problem
}

#[test]
fn limits_and_networks_are_checked() {
    let table = [
        ("CREDENTIAL_REQUESTS_PER_MINUTE", "-1", "from 0 to 1000000"),
        ("ORGANIZATION_REQUESTS_PER_MINUTE", "1000001", "from 0 to"),
        ("ADDRESS_REQUESTS_PER_MINUTE", "10/s", "from 0 to"),
        ("ADDRESS_FAILURES_PER_MINUTE", "", "is empty"),
        (
            "TRUSTED_PROXIES",
            "proxy.local",
            "\"proxy.local\" is not an",
        ),
        ("TRUSTED_PROXIES", "10.0.0.0/8,", "\"\" is not an address"),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "is not an address or a"),
        ("TRUSTED_PROXIES", "::/0", "is everybody"),
    ];
    for (name, value, expected) in table {
        let problem = only_problem(&format!("QUIETLINE_{name}"), value);
        assert!(problem.contains(expected), "{problem}");
    }
    let variables = [("QUIETLINE_TRUSTED_PROXIES", "10.0.0.0/8, ::1,192.0.2.7")];
    let config = with_variables(&variables).expect("good");
    assert_eq!(
        networks(&config.limits),
        ["10.0.0.0/8", "::1/128", "192.0.2.7/32"]
    );
    let config = with_toml("address_failures_per_minute = 1000000").expect("good");
    assert_eq!(quotas(&config.limits), [0, 0, 0, 1_000_000]);
}

#[test]
fn origins_are_written_as_browsers_write_them() {
    let table = [
        ("*", "* would let in every page"),
        ("https://a.example,*", "* would let in every page"),
        ("https://a.example/", "is \"https://a.example\" meant?"),
        ("https://a.example:443", "is \"https://a.example\" meant?"),
        ("https://A.example", "is \"https://a.example\" meant?"),
        ("https://u:p@a.example", "is \"https://a.example\" meant?"),
        ("https://*.example", "* would let in every page"),
        ("a.example", "such as https://app"),
        ("null", "such as https://app"),
        ("ftp://a.example", "such as https://app"),
        ("https://", "such as https://app"),
    ];
    for (text, expected) in table {
        let problem = only_problem("QUIETLINE_CORS_ORIGINS", text);
        assert!(problem.contains(expected), "{problem}");
    }
    let text = "https://a.example, http://localhost:5173,https://[::1]:8443";
    let config = with_variables(&[("QUIETLINE_CORS_ORIGINS", text)]).expect("good");
    let expected = [
        "https://a.example",
        "http://localhost:5173",
        "https://[::1]:8443",
    ];
    assert_eq!(config.cors_origins, expected);
}
