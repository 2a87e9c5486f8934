//! Settings of the rate limits. They are on by default where other machines can connect.

use std::num::NonZeroU32;

use ipnet::IpNet;

use crate::limits::LimitSettings;

use super::sources::{Sources, setting};
use super::values::{is_loopback, network, number_in};

/// Largest rate limit: more requests per minute than one process can serve.
const MAX_PER_MINUTE: u32 = 1_000_000;

/// Defaults of the rate limits where other machines can connect. An integration stays far below
/// them. A key that leaked, or one client address, takes a small part of what a server can do.
const PUBLIC_LIMITS: [(&str, u32); 6] = [
    ("credential_requests_per_minute", 3_000),
    ("organization_requests_per_minute", 6_000),
    // The audit log keeps every change for ever.
    ("organization_changes_per_minute", 600),
    // A response is stored for each.
    ("credential_idempotency_keys_per_day", 100_000),
    // Organizations may share an address, such as that of a cloud's NAT.
    ("address_requests_per_minute", 12_000),
    // Few enough for guesses and floods. Many enough for a client with a wrong key, whose
    // neighbours at the address would be refused too.
    ("address_failures_per_minute", 300),
];

/// Reads the rate limits of a server on the address `listen`.
pub(super) fn limits(sources: &mut Sources<'_>, listen: &str) -> LimitSettings {
    let number = || number_in::<u32>(0..=MAX_PER_MINUTE);
    let [credential, organization, changes, keys, requests, failures] =
        PUBLIC_LIMITS.map(|(name, default)| (sources.optional(name, number()), default));
    let trusted_proxies = sources.list("trusted_proxies", network);
    let is_public = is_public(listen, &trusted_proxies);
    let limit = |(given, default): (Option<u32>, u32)| {
        NonZeroU32::new(given.unwrap_or(if is_public { default } else { 0 }))
    };
    LimitSettings {
        credential_requests: limit(credential),
        organization_requests: limit(organization),
        organization_changes: limit(changes),
        credential_keys_per_day: limit(keys),
        address_requests: limit(requests),
        address_failures: limit(failures),
        trusted_proxies,
    }
}

/// Returns whether other machines can send requests to a server on the address `listen`.
pub(super) fn is_public(listen: &str, trusted_proxies: &[IpNet]) -> bool {
    // A proxy on this machine connects locally, but on behalf of clients of other machines.
    !is_loopback(listen) || !trusted_proxies.is_empty()
}

/// Returns the variables of the rate limits that are switched off.
pub(super) fn switched_off(limits: &LimitSettings) -> Vec<String> {
    let LimitSettings {
        credential_requests,
        organization_requests,
        organization_changes,
        credential_keys_per_day,
        address_requests,
        address_failures,
        trusted_proxies: _,
    } = limits;
    let all = [
        ("credential_requests_per_minute", credential_requests),
        ("organization_requests_per_minute", organization_requests),
        ("organization_changes_per_minute", organization_changes),
        (
            "credential_idempotency_keys_per_day",
            credential_keys_per_day,
        ),
        ("address_requests_per_minute", address_requests),
        ("address_failures_per_minute", address_failures),
    ];
    let off = all.iter().filter(|(_, limit)| limit.is_none());
    off.map(|(name, _)| setting(name).variable()).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::config::Config;
    use crate::config::settings::{Flags, SETTINGS};

    /// Loads the settings from these variables, without their prefix.
    fn load(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let owned = |(name, text): &(&str, &str)| (format!("QUIETLINE_{name}"), (*text).to_owned());
        let environment = variables.iter().map(owned).collect();
        let no_file = |_: &_, _| Err(io::ErrorKind::NotFound.into());
        let config = Config::from_sources(Flags::default(), &environment, no_file);
        config.map_err(|problems| problems.0)
    }

    fn config(variables: &[(&str, &str)]) -> Config {
        load(variables).expect("good")
    }

    /// Returns the limits in the order of the settings, 0 for none.
    fn limits_of(variables: &[(&str, &str)]) -> [u32; 6] {
        let limits = config(variables).limits;
        let all = [
            limits.credential_requests,
            limits.organization_requests,
            limits.organization_changes,
            limits.credential_keys_per_day,
            limits.address_requests,
            limits.address_failures,
        ];
        all.map(|limit| limit.map_or(0, NonZeroU32::get))
    }

    const ALL: [u32; 6] = [3_000, 6_000, 600, 100_000, 12_000, 300];

    #[test]
    fn limits_are_on_by_default_where_other_machines_can_connect() {
        for local in [
            "127.0.0.1:8080",
            "127.1.2.3:1",
            "[::1]:8080",
            "localhost:8080",
        ] {
            assert_eq!(limits_of(&[("LISTEN", local)]), [0; 6], "{local}");
        }
        for open in [
            "0.0.0.0:8080",
            "[::]:8080",
            "192.0.2.7:80",
            "localhost.example:80",
        ] {
            assert_eq!(limits_of(&[("LISTEN", open)]), ALL, "{open}");
        }
        assert_eq!(limits_of(&[("TRUSTED_PROXIES", "127.0.0.1")]), ALL);
    }

    #[test]
    fn a_limit_that_is_set_replaces_its_default_everywhere() {
        for (index, (name, _)) in PUBLIC_LIMITS.iter().enumerate() {
            let name = name.to_ascii_uppercase();
            let with = |text| [("LISTEN", "0.0.0.0:80"), (name.as_str(), text)];
            let mut expected = ALL;
            expected[index] = 0;
            assert_eq!(limits_of(&with("0")), expected, "{name}");
            let mut expected = [0; 6];
            expected[index] = 7;
            assert_eq!(limits_of(&with("7")[1..]), expected, "{name}");
        }
    }

    #[test]
    fn every_limit_that_is_off_on_a_public_address_is_named() {
        let open = ("LISTEN", "0.0.0.0:80");
        assert_eq!(config(&[open]).risky_limits(), [""; 0]);
        let limits = SETTINGS
            .iter()
            .filter(|setting| setting.name.contains("_per_"));
        let mut all = Vec::new();
        for setting in limits {
            let name = setting.name.to_ascii_uppercase();
            let off = config(&[open, (&name, "0")]);
            assert_eq!(off.risky_limits(), [setting.variable()]);
            all.push((name, "0"));
        }
        assert_eq!(all.len(), 6);
        let mut variables: Vec<_> = all
            .iter()
            .map(|(name, off)| (name.as_str(), *off))
            .collect();
        assert_eq!(config(&variables).risky_limits(), [""; 0], "only local");
        variables.push(open);
        assert_eq!(config(&variables).risky_limits().len(), 6);
    }

    #[test]
    fn limits_and_networks_are_checked() {
        for (name, value, expected) in [
            ("CREDENTIAL_REQUESTS_PER_MINUTE", "-1", "from 0 to 1000000"),
            ("ORGANIZATION_REQUESTS_PER_MINUTE", "1000001", "from 0 to"),
            ("ADDRESS_REQUESTS_PER_MINUTE", "10/s", "from 0 to"),
            ("ADDRESS_FAILURES_PER_MINUTE", "", "is empty"),
            (
                "TRUSTED_PROXIES",
                "proxy.local",
                "\"proxy.local\" must be an",
            ),
            ("TRUSTED_PROXIES", "10.0.0.0/8,", "\"\" must be an address"),
            ("TRUSTED_PROXIES", "10.0.0.0/33", "must be an address, or a"),
            ("TRUSTED_PROXIES", "::/0", "must not contain every address"),
        ] {
            let problems = load(&[(name, value)]).expect_err("the value is unfit");
            assert_eq!(problems.len(), 1, "{problems:?}");
            let start = format!("QUIETLINE_{name}: ");
            assert!(problems[0].starts_with(&start), "{problems:?}");
            assert!(problems[0].contains(expected), "{problems:?}");
        }
        let proxies = "10.0.0.0/8, ::1,192.0.2.7";
        let limits = config(&[("TRUSTED_PROXIES", proxies)]).limits;
        let networks: Vec<String> = limits
            .trusted_proxies
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(networks, ["10.0.0.0/8", "::1/128", "192.0.2.7/32"]);
        let most = config(&[("ADDRESS_FAILURES_PER_MINUTE", "1000000")]).limits;
        assert_eq!(most.address_failures, NonZeroU32::new(1_000_000));
    }

    #[test]
    fn help_example_and_documentation_name_the_defaults() {
        let example = include_str!("../../.env.example");
        let page = include_str!("../../docs/operations/configure.md");
        for (name, default) in PUBLIC_LIMITS {
            let setting = SETTINGS.iter().find(|setting| setting.name == name);
            let setting = setting.expect("a setting");
            let in_help = format!("[default: {default}, 0 if only local]");
            assert!(setting.help.ends_with(&in_help), "{name}");
            let in_example = format!(
                "Default: {default}, 0 if only local.\n# {}",
                setting.variable()
            );
            assert!(example.contains(&in_example), "{name}");
            let in_page = format!("| `{}` | ", name.to_ascii_uppercase());
            let row = page.lines().find(|line| line.starts_with(&in_page));
            assert!(
                row.is_some_and(|row| row.ends_with(&format!(" | {default} |"))),
                "{name}"
            );
        }
    }
}
