//! The program as operators run it: commands, configuration, start and shutdown.

mod access_log;
mod acknowledged;
mod anchors;
mod api_key;
mod audit;
mod audit_export;
mod backup;
mod configuration;
mod connections;
mod crash;
mod demo;
#[cfg(target_os = "linux")]
mod disk_faults;
#[cfg(target_os = "linux")]
mod faulty_disk;
mod files_gone;
mod full_disk;
mod help;
mod http_client;
mod key_secrets;
mod leaked_key;
mod log_secrets;
mod operator;
mod organization;
mod other_processes;
mod program;
mod secrets;
mod serve;
mod slow_clients;
mod stop;
mod token;
mod token_keys;
